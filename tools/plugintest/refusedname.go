package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Code -8 says that an instance does not exist, and a program makes a new one then. To a text that a method does not know
// it is no answer, with a message or without.

// refusedNames looks for methods that answer -8 to a text, on an instance that exists.
func (x *exploration) refusedNames(b *box, until time.Time) {
	if x.usesHost() {
		return // it may be the answer of a box of the host
	}
	for _, s := range x.outcomes() {
		if x.ctx.Err() != nil || time.Now().After(until) {
			return
		}
		if m := s[len(s)-1].m; m.box == b && m != b.birth && m != b.fini {
			x.tryRefusedName(b, s)
		}
	}
}

func (x *exploration) tryRefusedName(b *box, s sequence) {
	asked := x.answering(b)
	shows := func(s sequence) bool {
		if len(s) == 0 {
			return false
		}
		last := len(s) - 1
		o := &s[last]
		ended := slices.ContainsFunc(s[:last], func(e op) bool { return e.isFini() && e.on == o.on })
		if o.isBirth() || ended || !onlyTexts(o.args) {
			return false
		}
		ops := slices.Clone(s)
		for _, r := range asked {
			r.on = o.on
			ops = append(ops, r)
		}
		out := x.env.play(ops, ordinary)
		return out.exit == nil && len(out.answers) == len(ops) && out.answers[last].code == abi.ErrInvalidHandle &&
			slices.ContainsFunc(out.answers[last+1:], func(a observed) bool { return a.code == abi.OK })
	}
	last := &s[len(s)-1]
	short := x.confirmed(findingKey{codeRefusal, last.m.String(), ""}, s, shows)
	if short == nil {
		return
	}
	answers := x.env.play(short, ordinary).answers
	if len(answers) != len(short) {
		return
	}
	step := x.shown(short, len(short)-1)
	f := step.finding(codeRefusal, "it answered %v to a text, on an instance that exists: a program makes another instance then", &answers[len(short)-1])
	f.Expected = "a code that is not of instances, and a message that says what is wrong with the text"
	f.Fix = "answer NYASH_E_INVALID_ARGS or NYASH_E_PLUGIN"
	x.report(f, short, ordinary, answers)
}

// usesHost tells whether the library asks for boxes of its host.
func (e *env) usesHost() bool {
	text, l := e.plugin.own.text, e.config.Library
	return text != nil && len(text.Uses) > 0 || l != nil && len(l.Uses) > 0
}

// onlyTexts tells whether there is a text among arguments, and nothing that may stand for an instance.
func onlyTexts(args []argument) bool {
	texts := false
	for _, a := range args {
		if a.ref > 0 || a.other || isHandle(a.value) || isInteger(a.value) {
			return false
		}
		texts = texts || isText(a.value)
	}
	return texts
}
