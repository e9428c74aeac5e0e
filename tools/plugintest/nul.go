package plugintest

import (
	"fmt"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// To a plugin that stores texts a NUL is a letter like others that mean nothing. What it answers to a text with
// one is what it answers where that is another such letter, and not what it answers to the text up to the NUL.

// nulTexts are a text that is kept and one that is asked with; a NUL is at each "?".
var nulTexts = [][2]string{{"a?b", "b"}, {"a?b", "a?b"}, {"a?b", "?b"}, {"ab", "a?b"}, {"a", "a?b"}}

// letters are those that mean nothing to most, and are sorted as a NUL is.
var letters = []string{"\x01", "\x02"}

// nuls gives methods texts with a NUL, and calls others.
func (x *exploration) nuls(b *box, until time.Time) { x.eachKeyed(b, until, x.tryNuls) }

func (x *exploration) tryNuls(k *keyed) {
	key := findingKey{codeDamaged, k.r.String(), "NUL"}
	if x.done[key] || meansDamage(textOf(tlv.TagString, "a\x00b"), k.put, k.r) {
		return
	}
	for _, texts := range nulTexts {
		kept, asked := texts[0], texts[1]
		if k.of == len(k.rs) && asked != "b" {
			continue // it is asked with no text
		}
		again := 0
		for again < agreeing && x.endsAtNul(k, kept, asked) {
			again++
		}
		if again < agreeing {
			continue
		}
		x.done[key] = true
		kept, asked = withLetter(kept, "\x00"), withLetter(asked, "\x00")
		ops := x.keyOps(k, []string{kept}, []string{asked})
		s := x.shown(ops, len(ops)-1)
		f := s.finding(codeDamaged, "it answers as if a text ended at its NUL: %v was given %q, and with %q in its place it answers the same, and with a letter in place of the NUL something else", k.put, kept, upToNul(kept))
		if !strings.Contains(kept, "\x00") {
			f.Message = fmt.Sprintf("it answers as if a text ended at its NUL: it answers the same to %q, and with a letter in place of the NUL something else", upToNul(asked))
		}
		f.Expected = "a NUL to be a letter as any other, or to be refused"
		f.Fix = "use memcmp, memchr and memcpy with the size of a text, and nothing that is for C strings" + howToMean
		x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
		return
	}
}

func withLetter(text, letter string) string { return strings.ReplaceAll(text, "?", letter) }

func upToNul(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	return text
}

// endsAtNul tells whether texts with a NUL are answered as those up to it, and not as those with other letters.
func (x *exploration) endsAtNul(k *keyed, kept, asked string) bool {
	ask := func(letter string) (a observed, ok bool) {
		return x.ask(k, withLetter(kept, letter), withLetter(asked, letter))
	}
	nul, ok := ask("\x00")
	if !ok || nul.code != abi.OK && strings.Contains(asked, "?") { // it may refuse them
		return false
	}
	cut, ok := x.ask(k, upToNul(withLetter(kept, "\x00")), upToNul(withLetter(asked, "\x00")))
	if !ok || !nul.same(&cut) {
		return false
	}
	for _, letter := range letters {
		a, ok := ask(letter)
		if !ok || a.code != abi.OK || a.same(&nul) || isText(a.value) && strings.ReplaceAll(a.value.Data(), letter, "\x00") == nul.value.Data() {
			return false
		}
		if first, ok := ask(letters[0]); !ok || !isText(a.value) && !a.same(&first) {
			return false // which letter it is means something
		}
	}
	return true
}
