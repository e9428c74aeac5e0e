package plugintest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A call that fails should change nothing: its caller may try again, or go on without it. One that has
// stored the first of several things before it found the next to be wrong leaves half of its work.

// What is stored is known again by these, which are texts and numbers.
const markFirst, markSecond = "73019", "73021"

// wholeForms are texts with both that are in order, for a method that takes such ones; brokenForms are
// those in which what follows the first is wrong.
var (
	wholeForms = []string{"%s", "%s\n%s\n", "%s,%s\n", "%s=%s\n", "%s:%s\n", `{"%s":"%s"}`, "[%s,%s]", "%s %s", "%s;%s;"}

	brokenForms = []string{
		"%s\n\"%s", "%s\n%s" + strings.Repeat(",x", 40), "%s\n%s\n\"", "%s,%s\n\"", "%s=%s\n=\n", "%s=%s\nx", "%s:%s\n:", "%s:%s\nx", `{"%s":"%s",`, "[%s,%s", "[%s,%s,]",
		"%s %s (", "%s;%s;;", "%s\n%s\n\x01", "%s\n\n\n%s", "%s,%s,x", "%s %s x", "%s;%s;x", "%s\nx%s",
		"%s  %s", "%s %s ", "%s,,%s", "%s;;%s", "%s::%s",
	}
)

// doneByPart are names of methods that do one thing after another, whatever comes then, and tellsOfFailed
// those of methods that tell of calls that have failed.
var (
	doneByPart    = regexp.MustCompile(`(?i)run|eval|exec|feed|write|send|script|process|step|stream|append|push|print`)
	tellsOfFailed = regexp.MustCompile(`(?i)last|\btries|log|error|history|trace|journal|attempt|stat|miss|fail|refus|reject|lookup|request|hits`)
	meantHalf     = regexp.MustCompile(`(?i)\b(refused|failed|wrong|bad) \w+ (also )?(consume|count|abort|end|lock|log|take|use|drop|clear|reset)s\b|\babort|\broll(s|ed)? back\b|\bwrong (try|tries)\b|\battempts?\b|\bso far\b|\bpartial|\buntil\b|\bbefore (the|an) error|\beven (if|when|where)|\bas far as|\bup to the|\bone (by|after)|\blog\b|\bhistory\b|\bstops? at|\bin a row\b|\b(is|are|gets?) locked\b`)
	meantAborts   = regexp.MustCompile(`(?i)\babort|\bin a row\b|\battempts?\b|\broll(s|ed)? back\b`)
)

// meansHalf tells whether the documentation of a method says that a call which fails does something, or that of its box that
// an error ends what was begun.
func meansHalf(m *method) bool {
	return means(meantHalf, m) || m.box != nil && m.box.means(meantAborts)
}

// halfDone has calls fail after a part of what they take, and looks whether that has been stored.
func (x *exploration) halfDone(b *box, until time.Time) {
	_, states := x.filledStates(b)
	asked := x.askable(b)
	methods := x.gen.callable(b)
	slices.SortStableFunc(methods, func(m, n *method) int { // those that take a text alone first
		return cmp.Compare(len(x.gen.shapes[m][0]), len(x.gen.shapes[n][0]))
	})
	for _, m := range methods {
		if doneByPart.MatchString(m.name) || meansHalf(m) {
			continue
		}
		for _, types := range x.gen.typesOf(m) {
			if !slices.ContainsFunc(types, isText) || slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
				continue
			}
			if len(states) == 0 || !x.tryHalf(m, types, states[0], asked, until) {
				x.tryHalf(m, types, append(sequence{x.firstBirth(b)}, x.setupOf(m)...), asked, until)
			}
		}
	}
}

// marked is a text of a form, with both marks where it has room for them.
func marked(form string) string {
	if strings.Count(form, "%s") < 2 {
		return fmt.Sprintf(form, markFirst)
	}
	return fmt.Sprintf(form, markFirst, markSecond)
}

// withMarks are values of a shape: the first text is the first mark, and the last one a text.
func withMarks(types shape, text string) []tlv.Value {
	all := withName(types, markFirst)
	for i := len(all) - 1; i >= 0; i-- {
		if isText(all[i]) {
			if text == markFirst && slices.IndexFunc(all, isText) < i {
				text = markSecond // a key has been the first
			}
			all[i] = textOf(all[i].Tag(), text)
			break
		}
	}
	return all
}

// askedStates is in how many states a call that is asked must change nothing.
const askedStates = 2

// askable are calls that answer what is stored, and nothing of calls that have failed.
func (x *exploration) askable(b *box) (asked []op) {
	if x.askedOf == b {
		return x.asked
	}
	calls, states := x.filledStates(b)
	answers := func(c op) bool {
		return slices.ContainsFunc(states[:min(len(states), readStates)], func(s sequence) bool {
			out := x.onPlain(slices.Concat(s, sequence{c, c}))
			return out.exit == nil && len(out.answers) == len(s)+2 && tells(&out.answers[len(s)]) && out.answers[len(s)].same(&out.answers[len(s)+1])
		})
	}
	some := states[:min(len(states), askedStates)]
	var readers []op // they change nothing that they answer
	for _, c := range calls {
		if tellsOfFailed.MatchString(c.m.name) || meansHalf(c.m) || x.ctx.Err() != nil || !answers(c) || !x.readsIn(some, readers, c) {
			continue
		}
		readers = append(readers, c)
	}
	for _, c := range readers {
		if len(c.args) > 0 && x.sets(states, readers, c) {
			continue
		}
		if asked = append(asked, c); slices.ContainsFunc(c.args, func(a argument) bool { return isText(a.value) }) && !slices.ContainsFunc(asked[:len(asked)-1], func(have op) bool { return have.m == c.m && len(have.args) == len(c.args) }) {
			asked = append(asked, op{m: c.m, on: 0, args: literals(withName(typesOf(c.args), markFirst))})
		}
	}
	slices.SortStableFunc(asked, func(a, b op) int { return cmp.Compare(len(a.args), len(b.args)) }) // those that tell the most plainly first
	x.askedOf, x.asked = b, asked
	x.gen.changes = x.changing(calls, states, x.answering(b))
	return asked
}

// sets tells whether a call changes in some state what one of others answers: it has stored once more what is in the states that were
// looked at, and would do so each time that all are asked.
func (x *exploration) sets(states []sequence, others []op, c op) bool {
	return slices.ContainsFunc(states, func(s sequence) bool {
		return slices.ContainsFunc(others, func(next op) bool { return x.ctx.Err() == nil && !x.leavesNext(s, c, next) })
	})
}

// answering are those of askable that were seen to answer something.
func (x *exploration) answering(b *box) []op {
	return slices.DeleteFunc(slices.Clone(x.askable(b)), func(c op) bool { return slices.ContainsFunc(c.args, isMark) })
}

func isMark(a argument) bool { return isText(a.value) && a.value.Data() == markFirst }

var digits = regexp.MustCompile(`[0-9]+`)

// onlyCounted tells whether two answers are texts of which only numbers differ, as those of methods that tell of calls.
func onlyCounted(a, b *observed) bool {
	v, w := a.value, b.value
	return a.code == abi.OK && b.code == abi.OK && isText(v) && isText(w) && digits.MatchString(v.Data()) && digits.ReplaceAllString(v.Data(), "0") == digits.ReplaceAllString(w.Data(), "0")
}

// changing are the methods whose calls change what is stored, as far as others answer that.
func (x *exploration) changing(calls []op, states []sequence, asked []op) map[*method]bool {
	all := make(map[*method]bool)
	for _, s := range states[:min(len(states), readStates)] {
		for _, c := range calls {
			if all[c.m] || x.ctx.Err() != nil {
				continue
			}
			out := x.onPlain(slices.Concat(s, asked, sequence{c}, asked))
			if out.exit != nil || len(out.answers) != len(s)+2*len(asked)+1 {
				continue
			}
			for i := range asked {
				before, after := &out.answers[len(s)+i], &out.answers[len(s)+len(asked)+1+i]
				if !before.same(after) && !onlyCounted(before, after) {
					all[c.m] = true
				}
			}
		}
	}
	return all
}

// tryHalf looks at one method, with calls before it; ok is false where no call of it succeeded whose marks
// others answer.
func (x *exploration) tryHalf(m *method, types shape, before sequence, asked []op, until time.Time) (ok bool) {
	without := x.showMarks(before, asked, true)
	var shows []op // calls that answer a mark where a call has succeeded
	for _, form := range wholeForms {
		if x.ctx.Err() != nil || time.Now().After(until) {
			return false
		}
		if len(shows) > 0 {
			break
		}
		stored := slices.Concat(before, sequence{{m: m, on: 0, args: literals(withMarks(types, marked(form)))}})
		for i, is := range x.showMarks(stored, asked, true) {
			if is && !without[i] && asked[i].m != m {
				shows = append(shows, asked[i])
				without[i] = true // once is enough
			}
		}
	}
	for _, values := range failingValues(types) {
		if x.ctx.Err() != nil || time.Now().After(until) {
			break
		}
		failing := slices.Concat(before, sequence{{m: m, on: 0, args: literals(values)}})
		if len(shows) == 0 {
			x.tryRefusal(failing, asked)
			continue
		}
		if i := slices.Index(x.showMarks(failing, shows, false), true); i >= 0 {
			x.reportHalf(append(failing, shows[i]))
		}
	}
	return len(shows) > 0
}

// failingValues are arguments of calls that fail, perhaps, when a part is stored.
func failingValues(types shape) (all [][]tlv.Value) {
	for _, form := range brokenForms {
		all = append(all, withMarks(types, marked(form)))
	}
	for i, v := range types {
		for _, n := range numbersOf(v.Tag(), []int64{-1, 0, 1 << 30}, []float64{-1}) {
			values := withMarks(types, markFirst)
			values[i] = n
			all = append(all, values)
		}
	}
	return all
}

// showMarks tells which calls answer a mark that they were not given, after calls of which the last succeeds, or
// does not. It is for calls that change nothing, and none answers where that is not so.
func (x *exploration) showMarks(s sequence, asked []op, succeeds bool) []bool {
	shown := make([]bool, len(asked))
	out := x.onPlain(slices.Concat(s, asked))
	last := len(s) - 1
	if out.exit != nil || len(out.answers) != len(s)+len(asked) || !out.answers[last].made || (out.answers[last].code == abi.OK) != succeeds {
		return shown
	}
	for i := range asked {
		shown[i] = hasMark(&out.answers[last+1+i], &asked[i])
	}
	return shown
}

// hasMark tells whether an answer has a mark in it that was not asked for.
func hasMark(a *observed, r *op) bool {
	if !a.made || a.code != abi.OK {
		return false
	}
	for _, mark := range []string{markFirst, markSecond} {
		given := slices.ContainsFunc(r.args, func(arg argument) bool { return isText(arg.value) && arg.value.Data() == mark })
		if !given && (isText(a.value) && strings.Contains(a.value.Data(), mark) || fmt.Sprint(magnitude(a.value)) == mark) {
			return true
		}
	}
	return false
}

// halfFix is how to mend what the code is for, or to say that it is meant.
func halfFix() string {
	rule, _ := RuleOf(codeHalf)
	return rule.Fix + howToHalf
}

// reportHalf reports a sequence whose last call shows what the one before, which has failed, has changed.
func (x *exploration) reportHalf(s sequence) {
	failed, r := s[len(s)-2].m, s[len(s)-1]
	key := findingKey{codeHalf, failed.String(), ""}
	shows := func(s sequence) bool {
		at := len(s) - 2
		if at < 1 || s[at].m != failed || s[at+1].m != r.m {
			return false
		}
		out := x.env.play(s, ordinary)
		without := x.env.play(s.without(func(i int) bool { return i == at }), ordinary)
		if out.exit != nil || without.exit != nil || len(out.answers) != at+2 || len(without.answers) != at+1 {
			return false
		}
		after := &out.answers[at+1]
		return out.answers[at].made && out.answers[at].code != abi.OK && after.made && (tells(after) || tells(&without.answers[at])) && !after.same(&without.answers[at])
	}
	short := x.confirmed(key, s, shows)
	if short == nil {
		return
	}
	last := len(short) - 1
	out := x.env.play(short, ordinary)
	without := x.env.play(short.without(func(i int) bool { return i == last-1 }), ordinary)
	if len(out.answers) != len(short) || len(without.answers) != last {
		return
	}
	step := x.shown(short, last-1)
	since, before := unlike(&out.answers[last], &without.answers[last-1])
	f := step.finding(codeHalf, "it answered %v, and %v answers %s since then, which was %s: it has done a part of its work", &out.answers[last-1], r.m, since, before)
	f.Fix = halfFix()
	x.report(f, short, ordinary, out.answers)
}
