package plugintest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
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
	large, ok1 := x.timeOf(before, o, squareTries)
	few, ok2 := x.timeOf(small, near, squareTries)
	times := float64(size) / smallText
	if !ok1 || !ok2 || large < squareTime || float64(large) < squareTimes*times*times*float64(few) {
		return
	}
	// What takes long for its arguments alone does so in a small state.
	if same, ok := x.timeOf(small, o, squareTries); ok && same > large/4 {
		return
	}
	x.done[findingKey{codeQuadratic, o.m.String(), ""}] = true
	step := x.shown(append(slices.Clone(before), o), len(before))
	x.add(step.finding(codeQuadratic, "after %v was given %d bytes it took %v, and after %d bytes %v", store.m, smallText, few.Round(time.Microsecond), size, large.Round(time.Microsecond)))
}

// form is a kind of large text.
type form struct {
	of   string
	text func(size int) string
}

// manyForms are texts of many parts.
var manyForms = []form{
	{"words that begin alike", alikeWords(" ")},
	{"lines that begin alike", alikeWords("\n")},
	{"words that begin alike, with commas", alikeWords(",")},
	{"empty lines", timesOver("\n")},
	{"spaces", timesOver(" ")},
}

// words gives methods texts of many parts, and looks whether the time grows with the square of how many: where each is
// looked for among all the others, or all that is left is moved for each.
func (x *exploration) words(b *box, until time.Time) {
	for _, m := range x.gen.callable(b) {
		i := slices.IndexFunc(x.gen.shapes[m], func(s shape) bool { return slices.ContainsFunc(s, isBytes) })
		if i < 0 || slices.ContainsFunc(x.gen.shapes[m][i], isHandle) || namedSquare.MatchString(m.name) || means(meantSquare, m) {
			continue
		}
		s := x.gen.shapes[m][i]
		forms := manyForms
		if sample := s[slices.IndexFunc(s, isBytes)]; isText(sample) && sample.Len() > 1 {
			forms = append(slices.Clone(forms), form{"lines that it takes", timesOver(sample.Data() + "\n")})
		}
		for _, f := range forms {
			if x.ctx.Err() != nil || time.Now().After(until) || x.gen.avoid[m] || x.done[findingKey{codeQuadratic, m.String(), ""}] {
				break
			}
			x.tryWords(b, m, s, f)
		}
	}
}

// isBytes tells whether a value is text, or a blob.
func isBytes(v tlv.Value) bool { return isText(v) || isBlob(v) }

// largeWords is the size of the large text of words.
const largeWords = 60_000

func (x *exploration) tryWords(b *box, m *method, s shape, f form) {
	before := append(sequence{x.firstBirth(b)}, x.setupOf(m)...)
	at := slices.IndexFunc(s, isBytes)
	call := func(size int) op { return op{m: m, on: 0, args: argumentsWith(s, at, f.text(size))} }
	took := func(size int) (shortest time.Duration, ok bool) {
		for range squareTries { // each on an instance of its own: the words are new to it
			t, ok := x.timeOf(before, call(size), 1)
			if !ok || t < squareTime && size == largeWords {
				return t, ok
			}
			if shortest == 0 || t < shortest {
				shortest = t
			}
		}
		return shortest, true
	}
	large, ok := took(largeWords)
	if !ok || large < squareTime {
		return
	}
	const times = float64(largeWords) / smallText
	few, ok := took(smallText)
	if !ok || float64(large) < squareTimes*times*times*float64(few) {
		return
	}
	x.done[findingKey{codeQuadratic, m.String(), ""}] = true
	step := x.shown(append(slices.Clone(before), call(largeWords)), len(before))
	x.add(step.finding(codeQuadratic, "with %d bytes of %s it took %v, and with %d bytes %v", smallText, f.of, few.Round(time.Microsecond), largeWords, large.Round(time.Microsecond)))
}

// alikeWords are texts of different words of one beginning.
func alikeWords(between string) func(size int) string {
	return func(size int) string {
		var text strings.Builder
		for n := 0; text.Len() < size; n++ {
			fmt.Fprintf(&text, "word%d%s", n, between)
		}
		return text.String()[:size]
	}
}

// timesOver are texts of one part, again and again.
func timesOver(part string) func(size int) string {
	return func(size int) string { return strings.Repeat(part, size/len(part)) }
}

// timeOf is the shortest time of a call, which is made so many times after others; ok is false where it did not succeed each time.
func (x *exploration) timeOf(before sequence, o op, tries int) (shortest time.Duration, ok bool) {
	s := append(slices.Clone(before), slices.Repeat(sequence{o}, tries)...)
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
