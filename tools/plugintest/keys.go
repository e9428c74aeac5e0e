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

// A text that something is kept under must not be taken for another one: for one whose size is
// the same in 8 bits, for one that begins alike, or for one that is alike up to a NUL.

// keyPair is two texts that a plugin may take for one.
type keyPair struct {
	kept, asked string
	// others are texts that a plugin which means to take the two for one takes for kept as well.
	others []string
	how    string
}

// keyTexts are long texts of which pairs are made: what cuts a text at some letter does so in one of them alone.
var keyTexts = [2]string{pattern(400, 0), strings.Repeat("mnop", 100)}

// keyPairs are those that are tried, of a long text.
func keyPairs(long string) []keyPair {
	last := func(end string) string { return long[:399] + end }
	return []keyPair{
		{long[:300], long[:44], []string{long[:43], long[:45], long[:172]}, "the size of one of 300 bytes is taken for 44, as in 8 bits"},
		{long[:256], "", []string{long[:1], long[:128]}, "the size of one of 256 bytes is taken for 0, as in 8 bits"},
		{long[:257], long[:1], []string{long[:2], long[:129]}, "the size of one of 257 bytes is taken for 1, as in 8 bits"},
		{"ab\x00cd", "ab\x00ce", []string{"ab\x01ce", "abce"}, "nothing behind a NUL is compared"},
		{last("1"), last("2"), []string{long[:3], "9" + long[1:]}, "of two that have 400 bytes not all are compared"},
	}
}

// keyed is a method that is given a text, and one that is asked with a text.
type keyed struct {
	b      *box
	put, r *method
	s, rs  shape
	at, of int // the texts; of is behind the last argument where there is none
}

// keyOps are a call that is given a text, or two, and one that is asked with such.
func (x *exploration) keyOps(k *keyed, kept, asked []string) sequence {
	call := func(m *method, s shape, at int, texts []string) op {
		values := slices.Clone(s)
		for i := at; i < len(s) && len(texts) > 0; i++ {
			if isText(s[i]) {
				values[i] = textOf(s[i].Tag(), texts[0])
				texts = texts[1:]
			}
		}
		return op{m: m, on: 0, args: literals(values)}
	}
	ops := append(sequence{x.firstBirth(k.b)}, x.setupOf(k.put)...)
	return append(ops, call(k.put, k.s, k.at, kept), call(k.r, k.rs, k.of, asked))
}

// keys tries texts that may be taken for each other with the methods of a box.
func (x *exploration) keys(b *box, until time.Time) {
	x.eachKeyed(b, until, func(k *keyed) {
		if k.of < len(k.rs) && k.at == slices.IndexFunc(k.s, isText) {
			x.tryKeys(k)
			x.tryJoined(k)
		}
	})
}

// eachKeyed calls try with each text that a method is given and each method that is asked then, with its first text or
// with none, until a time.
func (x *exploration) eachKeyed(b *box, until time.Time, try func(k *keyed)) {
	methods := x.gen.callable(b)
	for _, put := range methods {
		for _, s := range x.gen.typesOf(put) {
			for at, v := range s {
				if isText(v) && !x.eachAsked(keyed{b: b, put: put, s: s, at: at}, methods, until, try) {
					return
				}
			}
		}
	}
}

func (x *exploration) eachAsked(k keyed, methods []*method, until time.Time, try func(k *keyed)) bool {
	for _, r := range methods {
		for _, rs := range x.askedFrom(r) {
			if x.ctx.Err() != nil || time.Now().After(until) {
				return false
			}
			k.r, k.rs, k.of = r, rs, slices.IndexFunc(rs, isText)
			if k.of < 0 {
				k.of = len(rs)
			}
			try(&k)
		}
	}
	return true
}

// askedFrom are arguments that a method is asked with: those that have worked, and with zero for their whole
// numbers, which is where a search begins at the first.
func (x *exploration) askedFrom(m *method) (all []shape) {
	all = x.gen.typesOf(m)
	for _, s := range slices.Clone(all) {
		zero := slices.Clone(s)
		for i, v := range zero {
			if isInteger(v) {
				zero[i] = withMagnitude(v, 0)
			}
		}
		if !slices.Equal(zero, s) {
			all = append(all, zero)
		}
	}
	return all
}

// ask is what is answered to one text where something is kept under another.
func (x *exploration) ask(k *keyed, kept, asked string) (a observed, ok bool) {
	return x.askAll(k, []string{kept}, []string{asked})
}

// askAll is ask for one text, or two.
func (x *exploration) askAll(k *keyed, kept, asked []string) (a observed, ok bool) {
	ops := x.keyOps(k, kept, asked)
	last := len(ops) - 1
	out := x.onPlain(ops)
	if out.exit != nil || len(out.answers) < len(ops) || out.answers[last-1].code != abi.OK {
		return a, false
	}
	return out.answers[last], true
}

// tryJoined tries two texts that are another two where they are put one behind the other.
func (x *exploration) tryJoined(k *keyed) {
	two := func(s shape) bool {
		return len(slices.DeleteFunc(slices.Clone(s), func(v tlv.Value) bool { return !isText(v) })) > 1
	}
	key := findingKey{codeDamaged, k.r.String(), "key"}
	if x.done[key] || !two(k.s) || !two(k.rs) || means(meantText, k.put, k.r) || means(meantJoined, k.put, k.r) || k.b.means(meantJoined) {
		return
	}
	kept, joined := []string{"qx", "mn"}, []string{"qxm", "n"}
	is := func(asked []string, like *observed) bool {
		a, ok := x.askAll(k, kept, asked)
		return ok && a.code == abi.OK && (like == nil || a.same(like))
	}
	for range agreeing {
		own, ok := x.askAll(k, kept, kept)
		if !ok || !is(joined, &own) || !is([]string{"q", "xmn"}, &own) {
			return
		}
		if a, ok := x.askAll(k, []string{"yz", "pw"}, joined); !ok || a.same(&own) {
			return // it is found whatever is kept
		}
		for _, other := range [][]string{{"qx", "mm"}, {"qy", "mn"}, {"qxn", "m"}, {"mn", "qx"}} {
			if is(other, &own) {
				return // neither text is a key
			}
		}
	}
	x.done[key] = true
	ops := x.keyOps(k, kept, joined)
	s := x.shown(ops, len(ops)-1)
	f := s.finding(codeDamaged, "two pairs of texts are taken for one: %v was given %q and %q, and with %q and %q it answers the same as with those", k.put, kept[0], kept[1], joined[0], joined[1])
	f.Expected = "another pair to be unknown"
	f.Fix = "compare each text with its own size, or put the size of the first in front of both" + howToMean
	x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
}

func (x *exploration) tryKeys(k *keyed) {
	if !x.distinguishes(k, "qx", "mn") || !x.distinguishes(k, "mnoprst", "qxvwyza") {
		return // the texts are no keys
	}
	x.tryUnfound(k)
	x.tryBegins(k)
	second := keyPairs(keyTexts[1])
	for i, pair := range keyPairs(keyTexts[0]) {
		if x.ctx.Err() != nil || x.done[findingKey{codeDamaged, k.r.String(), "key"}] {
			return
		}
		if meansDamage(textOf(tlv.TagString, pair.kept), k.put, k.r) {
			continue
		}
		again := 0
		for again < agreeing && x.confuses(k, &pair) && x.confuses(k, &second[i]) {
			again++
		}
		if again < agreeing || x.shortens(k, pair.kept) {
			continue
		}
		x.done[findingKey{codeDamaged, k.r.String(), "key"}] = true
		ops := x.keyOps(k, []string{pair.kept}, []string{pair.asked})
		answers := x.env.play(ops, ordinary).answers
		s := x.shown(ops, len(ops)-1)
		f := s.finding(codeDamaged, "two texts are taken for one: %v was given %s, and with %s it answers as where that was given: %s",
			k.put, showValue(textOf(tlv.TagString, pair.kept)), showValue(textOf(tlv.TagString, pair.asked)), pair.how)
		f.Expected = "another text to be unknown, or an error where one is too long"
		f.Fix = "keep sizes in size_t, compare them first and then all bytes, and refuse what does not fit" + howToMean
		x.report(f, ops, ordinary, answers)
	}
}

// begins are two texts of which one begins with the other.
var begins = [][2]string{{"qxmnprst", "qxmn"}, {"qxmn", "qxmnprst"}}

// namedBegins are names of methods that are asked with the beginning of a text.
var namedBegins = regexp.MustCompile(`(?i)prefix|begin|start|complet|search|match|suggest|longest|rout|near`)

// tryBegins tries two texts of which one begins with the other, where what is answered is what was given with the first: a
// method that searches tells of the texts.
func (x *exploration) tryBegins(k *keyed) {
	key := findingKey{codeDamaged, k.r.String(), "key"}
	if x.done[key] || namedBegins.MatchString(k.r.name) || means(meantText, k.put, k.r) || means(meantBegins, k.put, k.r) || k.b.means(meantBegins) {
		return
	}
	for _, pair := range begins {
		again := 0
		for again < agreeing && x.takesBeginning(k, pair[0], pair[1]) {
			again++
		}
		if again < agreeing {
			continue
		}
		x.done[key] = true
		ops := x.keyOps(k, pair[:1], pair[1:])
		s := x.shown(ops, len(ops)-1)
		f := s.finding(codeDamaged, "two texts of which one begins with the other are taken for one: %v was given %q, and with %q it answers as with that", k.put, pair[0], pair[1])
		f.Expected = "another text to be unknown"
		f.Fix = "compare the sizes first, and then all bytes" + howToBegin
		x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
		return
	}
}

// takesBeginning tells whether what was given with one text is answered to another one as well, and to no unlike ones.
func (x *exploration) takesBeginning(k *keyed, kept, asked string) bool {
	own, ok1 := x.ask(k, kept, kept)
	same, ok2 := x.ask(k, kept, asked)
	if !ok1 || !ok2 || own.code != abi.OK || !own.same(&same) || !slices.ContainsFunc(k.s[k.at+1:], func(v tlv.Value) bool { return equalValue(own.value, v) }) {
		return false
	}
	for _, unlike := range []string{"zw" + asked[2:], asked[:3] + "#" + asked[4:], "#"} {
		if a, ok := x.ask(k, kept, unlike); !ok || a.same(&own) {
			return false
		}
	}
	return true
}

// shortens tells whether a plugin keeps a part of a long text alone, and shows it: some method answers the beginning of it, and none
// the whole.
func (x *exploration) shortens(k *keyed, kept string) bool {
	const begin = 40
	if len(kept) < 2*begin {
		return false
	}
	ops := x.keyOps(k, []string{kept}, nil)
	ops = ops[:len(ops)-1]
	from := len(ops)
	for _, m := range x.gen.callable(k.b) {
		if len(x.gen.shapes[m][0]) == 0 && m != k.put {
			ops = append(ops, op{m: m, on: 0})
		}
	}
	out := x.onPlain(ops)
	shows, whole := false, false
	for i := from; i < len(out.answers); i++ {
		if a := &out.answers[i]; a.made && a.code == abi.OK && isText(a.value) {
			shows = shows || strings.Contains(a.value.Data(), kept[:begin])
			whole = whole || strings.Contains(a.value.Data(), kept)
		}
	}
	return shows && !whole
}

// narrowSizes are the first sizes that small types do not hold.
var narrowSizes = []int{128, 256}

// tryUnfound tries texts around these sizes: those that are a byte longer must be found as well, or refused.
func (x *exploration) tryUnfound(k *keyed) {
	key := findingKey{codeDamaged, k.r.String(), "key"}
	for _, size := range narrowSizes {
		if x.ctx.Err() != nil || x.done[key] || meansDamage(textOf(tlv.TagString, pattern(size, 0)), k.put, k.r) {
			return
		}
		again := 0
		for again < agreeing && x.findsUpTo(k, size) {
			again++
		}
		if again < agreeing {
			continue
		}
		x.done[key] = true
		text := []string{pattern(size, 0)}
		ops := x.keyOps(k, text, text)
		s := x.shown(ops, len(ops)-1)
		f := s.finding(codeDamaged, "%v was given a text of %d bytes, and it answers as if it had not been; it finds those of up to %d bytes", k.put, size, size-1)
		f.Expected = "a text that is kept to be found, or an error where it is too long"
		f.Fix = "keep sizes in size_t, and refuse what does not fit" + howToMean
		x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
		return
	}
}

// findsUpTo tells whether texts are found that are shorter than a size, and others are not.
func (x *exploration) findsUpTo(k *keyed, size int) bool {
	for n, want := range map[int]bool{size - 2: true, size - 1: true, size: false, size + 1: false, size + 44: false} {
		text := pattern(n, 0)
		own, ok1 := x.ask(k, text, text)
		not, ok2 := x.ask(k, "#"+text[1:], text)
		if !ok1 || !ok2 || own.same(&not) == want {
			return false
		}
	}
	return true
}

// distinguishes tells whether a text that is kept is answered otherwise than another of its size,
// and than where that is kept.
func (x *exploration) distinguishes(k *keyed, kept, other string) bool {
	own, ok1 := x.ask(k, kept, kept)
	not, ok2 := x.ask(k, kept, other)
	if !ok1 || !ok2 || own.code != abi.OK || own.same(&not) {
		return false
	}
	unkept, ok := x.ask(k, other, kept)
	return ok && !own.same(&unkept)
}

// confuses tells whether two texts are taken for one, and no others are.
func (x *exploration) confuses(k *keyed, pair *keyPair) bool {
	own, ok1 := x.ask(k, pair.kept, pair.kept)
	if own.code != abi.OK { // it is not found under its own text
		own, ok1 = x.ask(k, pair.asked, pair.asked)
	}
	same, ok2 := x.ask(k, pair.kept, pair.asked)
	if !ok1 || !ok2 || own.code != abi.OK || !own.same(&same) {
		return false
	}
	unlike := fmt.Sprintf("%.*s", max(2, len(pair.asked)), "#"+pattern(len(pair.asked), 13))
	if a, ok := x.ask(k, unlike, pair.asked); !ok || a.same(&own) {
		return false // it is found whatever is kept
	}
	for _, other := range append([]string{unlike}, pair.others...) {
		if a, ok := x.ask(k, pair.kept, other); !ok || a.same(&own) {
			return false
		}
	}
	return true
}
