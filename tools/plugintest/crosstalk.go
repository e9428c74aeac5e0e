package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// crosstalk calls each method of a box on one instance, and looks whether a method that only reads
// answers otherwise on another. What random sequences find of that takes many of them where a box has
// many methods.
func (x *exploration) crosstalk(b *box, until time.Time) {
	if b.singleton {
		return
	}
	methods := x.gen.callable(b)
	for _, r := range methods {
		for _, m := range methods {
			if x.ctx.Err() != nil || time.Now().After(until) {
				return
			}
			for _, fresh := range []bool{false, true} {
				if ops := x.crossing(b, m, r, fresh); ops != nil && !x.done[findingKey{codeMixed, r.String(), ""}] {
					x.tryCrossing(ops, m, r)
				}
			}
		}
	}
}

// The ops of a crossing: two births, the reader twice, what is called on the other instance, and the
// reader again.
const (
	crossBefore = 3
	crossOther  = 4
	crossAfter  = 5
)

// crossing is nil where a method takes instances or blobs, or the calls give reason to be otherwise. Fresh is
// whether the other call has numbers that no call before had in the process that makes many: the state may
// be that of the process.
func (x *exploration) crossing(b *box, m, r *method, fresh bool) sequence {
	call := func(m *method, on int, name string) (o op, ok bool) {
		for _, s := range x.gen.typesOf(m) {
			if !slices.ContainsFunc(s, isHandle) && !slices.ContainsFunc(s, isBlob) {
				return op{m: m, on: on, args: literals(withName(s, name))}, true
			}
		}
		return o, false
	}
	reads, ok1 := call(r, 1, "r")
	other, ok2 := call(m, 0, "w")
	if !ok1 || !ok2 || meansShared(r) || x.takesName(b) {
		return nil
	}
	if fresh {
		x.names++
		numbers := false
		for i, a := range other.args {
			if isNumeric(a.value) {
				other.args[i].value, numbers = withMagnitude(a.value, float64(100+x.names)), true
			}
		}
		if !numbers {
			return nil
		}
	}
	return sequence{x.firstBirth(b), x.firstBirth(b), reads, reads, other, reads}
}

func (x *exploration) tryCrossing(ops sequence, m, r *method) {
	crosses := func(out *played) bool {
		return out.exit == nil && len(out.answers) == len(ops) && out.answers[crossBefore].code == abi.OK && out.answers[crossAfter].code == abi.OK &&
			out.answers[crossOther].made && out.answers[crossBefore].same(&out.answers[crossBefore-1]) && !out.answers[crossBefore].same(&out.answers[crossAfter])
	}
	if !crosses(x.onBench(ops)) || x.sharesByName(m) {
		return
	}
	for range agreeing {
		out := x.env.play(ops, ordinary)
		if !crosses(out) {
			return
		}
		if less := quiet(ops, out, func(i int) bool { return i == crossOther }); less == nil || !x.env.play(less, ordinary).answersAlike(crossBefore, crossAfter) {
			return // a clock says otherwise, say
		}
	}
	x.done[findingKey{codeMixed, r.String(), ""}] = true
	out := x.env.play(ops, ordinary)
	if !crosses(out) {
		return
	}
	s := x.shown(ops, crossAfter)
	one, other := unlike(&out.answers[crossBefore], &out.answers[crossAfter])
	f := s.finding(codeMixed, "it answered %s, and %s after %v was called on another instance", one, other, m)
	rule, _ := RuleOf(codeMixed)
	f.Fix = rule.Fix + howToShare
	x.report(f, ops, ordinary, out.answers)
}

// answersAlike tells whether two calls of a play were answered the same.
func (p *played) answersAlike(a, b int) bool {
	return p.exit == nil && len(p.answers) > max(a, b) && p.answers[a].same(&p.answers[b])
}
