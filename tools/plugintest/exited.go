package plugintest

import (
	"errors"
	"regexp"
	"slices"
	"time"
)

// faults reports what single answers of a sequence show, and an exit; true for an exit.
func (x *exploration) faults(ops sequence, base *played) (exited bool) {
	if base.exit != nil {
		x.exited(ops, base)
		return true
	}
	for i := range base.findings {
		f := &base.findings[i]
		key := findingKey{code: f.Code, place: f.Place()}
		if x.done[key] || x.recorder.seen.keys[key] {
			continue
		}
		x.done[key] = true
		shows := func(s sequence) bool {
			out := x.env.play(s, ordinary)
			return slices.ContainsFunc(out.findings, func(g Finding) bool { return g.Code == f.Code && g.Place() == f.Place() })
		}
		short := x.shrink(ops, base.at[i], shows)
		if short == nil {
			continue
		}
		out := x.env.play(short, ordinary)
		for k := range out.findings {
			if g := out.findings[k]; g.Code == f.Code && g.Place() == f.Place() {
				x.report(g, short, ordinary, out.answers)
				break
			}
		}
	}
	return false
}

// exited reports that the worker exited in a sequence.
func (x *exploration) exited(ops sequence, base *played) {
	m := base.exit.at.m
	if x.exits[m]++; x.exits[m] > enough {
		x.gen.avoid[m] = true
	}
	x.news = time.Now()
	if x.exits[m] > enough || x.exitKnown(m) || x.takesItsTime(ops, base) {
		return
	}
	at := min(len(base.answers), len(ops)) - 1
	shows := func(s sequence) bool {
		out := x.quick().play(s, ordinary)
		return out.exit != nil && out.exit.at.m == m
	}
	short := x.shrink(ops, at, shows)
	if short == nil {
		return
	}
	end := x.endOf(short, m)
	for i := range end.findings {
		x.report(end.findings[i], short, ordinary, end.answers)
	}
}

// quick is an environment in which a hang ends soon.
func (e *env) quick() *env {
	own := *e
	config := *own.config
	config.Timeout = min(config.Timeout, time.Second)
	own.config = &config
	return &own
}

// exitKnown tells whether the report has an exit of the worker in a method.
func (x *exploration) exitKnown(m *method) bool {
	return slices.ContainsFunc(x.recorder.report.Findings, func(f Finding) bool { return exits(f.Code) && f.Place() == m.String() })
}

// waitsSo are names, and words of the documentation, of methods that wait as long as a number says.
var waitsSo = regexp.MustCompile(`(?i)sleep|\bwait|delay|pause|time_?out|linger|\bblocks? for\b`)

// takesItsTime tells whether a call that hangs, or takes much memory, does what a large number
// tells it to: then it takes less with smaller ones. Numbers up to one that its documentation names are
// no excuse, but to a method that waits.
func (x *exploration) takesItsTime(ops sequence, base *played) bool {
	at := len(base.answers) - 1
	if at < 0 || at >= len(ops) || !isSlow(base.exit.err) {
		return false
	}
	o := &ops[at]
	large := slices.IndexFunc(o.args, func(a argument) bool { return magnitude(a.value) >= 1000 })
	if large < 0 {
		return false
	}
	waits := waitsSo.MatchString(o.m.name) || means(waitsSo, o.m)
	if n, err := o.args[large].value.Int(); err == nil && !waits && slices.ContainsFunc(namedNumbers(o.m), func(most int64) bool { return n <= most-1 }) {
		return false // which its documentation says that it takes
	}
	var took []time.Duration
	for _, n := range []float64{10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000} {
		if n > magnitude(o.args[large].value) {
			break
		}
		s := slices.Clone(ops[:at+1])
		s[at].args = slices.Clone(o.args)
		s[at].args[large].value = withMagnitude(o.args[large].value, n)
		out := x.quick().play(s, ordinary)
		if out.exit != nil || len(out.answers) <= at {
			took = append(took, time.Second)
			break
		}
		took = append(took, out.answers[at].took)
	}
	for i := 1; i < len(took); i++ {
		if took[i] > 5*time.Millisecond && took[i-1] > took[i]/40 {
			x.gen.caps[o.m] = 1000
			return true
		}
	}
	return false
}

func isSlow(err error) bool { return isHang(err) || errors.Is(err, errRunaway) }
