package plugintest

import (
	"regexp"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A copy of an instance has a life of its own: what is changed in one of the two is not changed in the other. Some
// instances that methods answer are no copies, but views, in which all changes show. Where some do and others do not, they
// are copies that share a part of what they hold.

// leastApart is how many changes must not show in the other instance, so that another is a fault that does.
const leastApart = 2

// namedCopy are names of methods that make copies, of which a change that does not show is enough; meantApart is how their
// documentation says so, which needs none.
var (
	namedCopy  = regexp.MustCompile(`(?i)cop(y|ies)|clone|dup|snapshot|fork`)
	meantApart = regexp.MustCompile(`(?i)\b(copy|clone|duplicate|snapshot)\b|\bas (it|they) (is|are|was|were)\b|\bindependent`)
)

// parting is an instance, what is made of it, and a call of one of the two.
type parting struct {
	c     *copier
	s     sequence
	w     op
	first bool // the call is of the copy, and the other is looked at
}

// ops make the copy, and then a call on one before and after a change of the other.
func (p *parting) ops(b *box, asked []op, change bool) (ops sequence, last int) {
	at := len(p.s)
	ops = append(slices.Clone(p.s), op{m: p.c.m, on: 0, made: b})
	other, own := at, 0
	if p.first {
		other, own = 0, at
	}
	ask := func(on int) {
		for _, r := range asked {
			r.on = on
			ops = append(ops, r)
		}
	}
	ask(own)
	ask(other)
	if change {
		w := p.w
		w.on = own
		ops = append(ops, w)
	}
	last = len(ops)
	ask(own)
	ask(other)
	return ops, last
}

// partings looks at changes of instances and of their copies.
func (x *exploration) partings(b *box, c *copier, asked []op, until time.Time) {
	if c.into != nil || meansShared(c.m) || means(meantCopy, c.m) {
		return
	}
	calls, states := x.filledStates(b)
	kept, n := 0, len(asked)
	type leak struct {
		p parting
		r op
	}
	var leaks []leak
	for _, s := range states[:min(len(states), pairStates)] {
		for _, w := range calls {
			for _, first := range []bool{false, true} {
				if x.ctx.Err() != nil || time.Now().After(until) {
					break
				}
				p := parting{c, s, w, first}
				ops, last := p.ops(b, asked, true)
				out := x.onPlain(ops)
				if out.exit != nil || len(out.answers) != len(ops) || out.answers[last-1].code != abi.OK {
					continue
				}
				changes, leaked := false, -1
				before := out.answers[last-1-2*n : last-1]
				for i := range asked {
					changes = changes || !before[i].same(&out.answers[last+i])
					if !before[n+i].same(&out.answers[last+n+i]) && (tells(&before[n+i]) || tells(&out.answers[last+n+i])) {
						leaked = i
					}
				}
				switch {
				case leaked >= 0:
					leaks = append(leaks, leak{p, asked[leaked]})
				case changes:
					kept++
				}
			}
		}
	}
	said := means(meantApart, c.m)
	copies := said || namedCopy.MatchString(c.m.name)
	if kept == 0 && !said || !copies && (kept < leastApart || 2*kept < len(leaks)) {
		return
	}
	for _, l := range leaks {
		x.reportParting(b, &l.p, l.r)
	}
}

// sharedAnyway tells whether the change shows in an instance, too, on which the same calls were made: what both name, such
// as a file, is not theirs.
func (x *exploration) sharedAnyway(p *parting, r op) bool {
	ops, w := p.s.and(p.s), p.w
	w.on, r.on = 0, len(p.s)
	ops = append(ops, r, w, r)
	out := x.env.play(ops, ordinary)
	return out.exit != nil || !out.answersAlike(len(ops)-3, len(ops)-1)
}

// reportParting makes sure that a call on one instance changes what another answers, and reports it with the fewest calls.
func (x *exploration) reportParting(b *box, p *parting, r op) {
	asked := []op{r}
	shows := func(s sequence) bool {
		if len(s) == 0 || !s[0].isBirth() || s[0].m.box != b {
			return false
		}
		q := *p
		q.s = s
		with, last := q.ops(b, asked, true)
		out := x.env.play(with, ordinary)
		without, _ := q.ops(b, asked, false)
		other := x.env.play(without, ordinary)
		if x.sharedAnyway(&q, r) {
			return false
		}
		return out.exit == nil && other.exit == nil && len(out.answers) == len(with) && len(other.answers) == len(without) &&
			other.answersAlike(last-2, last) && !out.answersAlike(last-2, last+1) && other.answers[last-2].same(&out.answers[last-2])
	}
	short := x.confirmed(findingKey{codeMixed, r.m.String(), ""}, p.s, shows)
	if short == nil {
		return
	}
	p.s = short
	ops, last := p.ops(b, asked, true)
	ops = slices.Delete(ops, last-3, last-2) // what the changed one answers is of no interest
	ops = slices.Delete(ops, last-1, last)
	last = len(ops) - 1
	answers := x.env.play(ops, ordinary).answers
	if len(answers) != len(ops) {
		return
	}
	step := x.shown(ops, last)
	whose := pick(p.first, "its copy", "the instance that it is a copy of")
	one, other := unlike(&answers[last-2], &answers[last])
	f := step.finding(codeMixed, "it answered %s, and %s after %v was called on %s (%v)", one, other, p.w.m, whose, p.c.m)
	f.Expected = "that what is changed in one of them is not changed in the other"
	f.Fix = "copy what an instance refers to as well, or copy what two share before one of them changes it" + howToShare
	x.report(f, ops, ordinary, answers)
}
