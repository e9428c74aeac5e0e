package plugintest

import (
	"regexp"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	smallText  = 5000                  // of the state with which a large one is compared, in bytes
	squareTime = 10 * time.Millisecond // that a call takes at least that is looked at
	// squareTimes is how many times as long it takes, of the square of how many times as large the state is.
	squareTimes = 0.5
	squareTries = 3 // of each play; the shortest time counts
)

// namedSquare are names of methods that compare each part of a text with each other.
var namedSquare = regexp.MustCompile(`(?i)dist|simil|diff|compar|palindr|substr|align|lcs|rank|sort|score|pair|cross|closest|nearest`)

// slowInLarge looks at the calls that took long after the first large text was stored: whether they take a hundred times as long as
// after one of a twelfth of that.
func (x *exploration) slowInLarge(ops sequence, out *played, size int) {
	store := slices.IndexFunc(ops, func(o op) bool {
		return slices.ContainsFunc(o.args, func(a argument) bool { return isText(a.value) && a.value.Len() == size })
	})
	if size <= 2*smallText || store < 0 || store >= len(out.answers) || out.answers[store].code != abi.OK {
		return
	}
	tried := make(map[*method]bool)
	for i := store + 1; i < len(out.answers) && ops[i].m != ops[store].m; i++ {
		a, m := &out.answers[i], ops[i].m
		if !a.made || a.code != abi.OK || a.took < squareTime || tried[m] || x.done[findingKey{codeQuadratic, m.String(), ""}] || namedSquare.MatchString(m.name) || means(meantSquare, m) {
			continue
		}
		tried[m] = true
		x.trySquare(ops[:store+1], ops[i], size)
	}
}

// trySquare reports a call, after others of which the last stores a large text, if the time that it takes grows with the
// square of that.
func (x *exploration) trySquare(before sequence, o op, size int) {
	store := before[len(before)-1]
	small := slices.Clone(before)
	small[len(small)-1].args = resized(store.args, size, smallText)
	near := o
	near.args = scaled(o.args, size, smallText)
	large, ok1 := x.timeOf(before, o)
	few, ok2 := x.timeOf(small, near)
	times := float64(size) / smallText
	if !ok1 || !ok2 || large < squareTime || float64(large) < squareTimes*times*times*float64(few) {
		return
	}
	// What takes long for its arguments alone does so in a small state.
	if same, ok := x.timeOf(small, o); ok && same > large/4 {
		return
	}
	x.done[findingKey{codeQuadratic, o.m.String(), ""}] = true
	step := x.shown(append(slices.Clone(before), o), len(before))
	x.add(step.finding(codeQuadratic, "after %v was given %d bytes it took %v, and after %d bytes %v", store.m, smallText, few.Round(time.Microsecond), size, large.Round(time.Microsecond)))
}

// timeOf is the shortest time of a call after others; ok is false where it did not succeed each time.
func (x *exploration) timeOf(before sequence, o op) (shortest time.Duration, ok bool) {
	s := append(slices.Clone(before), slices.Repeat(sequence{o}, squareTries)...)
	out := x.onPlain(s)
	if out.exit != nil || len(out.answers) != len(s) {
		return 0, false
	}
	all := out.answers[len(before):]
	for i := range all {
		if !all[i].made || all[i].code != abi.OK {
			return 0, false
		}
		if shortest == 0 || all[i].took < shortest {
			shortest = all[i].took
		}
	}
	return shortest, true
}

// resized are arguments whose text of one size has another.
func resized(args []argument, from, to int) []argument {
	args = slices.Clone(args)
	for i, a := range args {
		if isText(a.value) && a.value.Len() == from {
			args[i].value = textOf(a.value.Tag(), a.value.Data()[:to])
		}
	}
	return args
}

// scaled are arguments whose numbers are as near to one size as they are to another.
func scaled(args []argument, from, to int) []argument {
	args = slices.Clone(args)
	for i, a := range args {
		n, err := a.value.Int()
		if err != nil || n < 2 {
			continue
		}
		if numbers := numbersOf(a.value.Tag(), []int64{n * int64(to) / int64(from)}, nil); len(numbers) > 0 {
			args[i].value = numbers[0]
		}
	}
	return args
}
