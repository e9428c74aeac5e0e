package plugintest

import (
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// What reads a text by calling itself, for each bracket say, needs a limit of its own: a text can have more of them
// than fit onto a stack. What tries each way to match a pattern takes a time that doubles with each letter.

// nestings open something that may be nested. None is closed: so there are the most of them.
var nestings = []string{"(", "[", "{", "-", "!", "~", "not ", "(1+", "[1,", `{"a":`, "f(", "<a>", "1+", "1,", "a/", "a.", "*", "\\"}

// nestedBlob is how large a blob of them is, in bytes.
const nestedBlob = 1 << 20

// matched is a text that no pattern of patterns matches, in more ways than can be tried.
const matched = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var patterns = []string{strings.Repeat("*a", 25) + "*b", strings.Repeat("*", 25) + "b", strings.Repeat("%a", 25) + "%b", "(a*)*b", "(a|a)*b", strings.Repeat(".*", 25) + "b"}

// ofItself are texts in which a name stands for what is kept under it, which is that text.
var ofItself = []string{"${k1}", "$k1", "$(k1)", "{{k1}}", "{k1}", "%k1%", "<k1>", "@k1", "k1", "[k1]", "k1+k1"}

// nested gives methods texts that are nested deep, and then others patterns, and texts of themselves.
func (x *exploration) nested(b *box, until time.Time) {
	defer x.endBench()
	for _, m := range x.gen.callable(b) {
		for _, s := range x.gen.typesOf(m) {
			if slices.ContainsFunc(s, isHandle) {
				continue
			}
			for at, v := range s {
				if !isText(v) && !isBlob(v) {
					continue
				}
				if x.ctx.Err() != nil || time.Now().After(until) {
					return
				}
				if !x.gen.avoid[m] {
					x.tryOps(x.nestedCalls(b, m, s, at))
				}
			}
		}
	}
	x.eachKeyed(b, until, func(k *keyed) {
		if !x.gen.avoid[k.put] && !x.gen.avoid[k.r] {
			x.tryOps(x.matchCalls(k))
			x.tryOps(x.selfCalls(k))
		}
	})
}

// tryOps plays a sequence, and reports what it shows alone.
func (x *exploration) tryOps(ops sequence) {
	if len(ops) == 0 {
		return
	}
	if out := x.onBench(ops); out.exit == nil { // else it is reported
		x.faults(ops, out)
	}
}

// nestedCalls are calls with deeply nested texts for one argument.
func (x *exploration) nestedCalls(b *box, m *method, s shape, at int) sequence {
	ops := append(sequence{x.firstBirth(b)}, x.setupOf(m)...)
	size := tlv.MaxPayload
	if isBlob(s[at]) {
		size = nestedBlob
	}
	for _, open := range nestings {
		text := strings.Repeat(open, size/len(open))
		ops = append(ops, op{m: m, on: 0, args: argumentsWith(s, at, text)})
	}
	return ops
}

// matchCalls are calls with a text and a pattern, of which one is for the method that is asked, or both for the other.
func (x *exploration) matchCalls(k *keyed) sequence {
	var all []sequence
	for _, pattern := range patterns {
		switch {
		case k.of < len(k.rs):
			all = append(all, x.keyOps(k, []string{matched}, []string{pattern}), x.keyOps(k, []string{pattern}, []string{matched}))
		case k.texts() > 1:
			all = append(all, x.keyOps(k, []string{matched, pattern}, nil), x.keyOps(k, []string{pattern, matched}, nil))
		}
	}
	ops, _ := joined(all)
	return ops
}

// selfCalls are calls that keep a text of itself under a name, and then read it.
func (x *exploration) selfCalls(k *keyed) sequence {
	if k.texts() < 2 {
		return nil
	}
	var all []sequence
	for _, text := range ofItself {
		if k.of < len(k.rs) {
			all = append(all, x.keyOps(k, []string{"k1", text}, []string{text}))
		}
		all = append(all, x.keyOps(k, []string{"k1", text}, []string{"k1"}))
	}
	ops, _ := joined(all)
	return ops
}

// texts is how many texts the first method is given at once.
func (k *keyed) texts() (n int) {
	for _, v := range k.s[k.at:] {
		if isText(v) {
			n++
		}
	}
	return n
}
