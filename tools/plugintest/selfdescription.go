package plugintest

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nyash-plugins/nyash-go/registry"
)

// checkText reports a text that hosts refuse, and what cannot be tested, whatever check comes
// first.
func (e *env) checkText() {
	own := &e.plugin.own
	for _, f := range e.plugin.faults {
		e.add(f)
	}
	if own.mistakes != nil {
		e.add(Finding{Code: codeConfig, Message: firstLines(own.mistakes)})
	}
	if own.contradiction != nil {
		e.add(Finding{Code: codeConfigIDs, Message: firstLines(own.contradiction)})
	}
	for _, note := range e.plugin.notes {
		e.skip("%s", note)
	}
}

// firstLines is an error of several lines, cut short.
func firstLines(err error) string {
	const most = 3
	lines := strings.Split(err.Error(), "\n")
	return strings.Join(cutList(lines, most), "; ")
}

// checkOwnText compares the library's text with the contract and with init.
func (e *env) checkOwnText(w *worker) error {
	own := &e.plugin.own
	if own.config == nil {
		return nil
	}
	if own.text != nil {
		for _, warning := range own.text.Warnings {
			if warning.Msg == unknownKey {
				e.add(Finding{Code: codeConfigKey, Message: warning.Error()})
			} else {
				e.line("%v", warning)
			}
		}
		for _, request := range own.text.Requests {
			e.line("%s asks for %s = %s", request.Box, request.Key, request.TOML)
		}
	}
	for _, difference := range own.text.CheckSignatures(own.init) {
		f := Finding{Code: codeConfigSignature, Message: difference.Error()}
		f.Box, f.Method = own.placeOf(difference.Position)
		e.add(f)
	}
	return w.checkTextNow("after init")
}

// placeOf finds the method that the text describes at a place.
func (o *ownDescription) placeOf(at registry.Position) (box, method string) {
	for _, t := range o.types {
		for i := range t.Methods {
			if t.Methods[i].Pos == at {
				return t.Name, t.Methods[i].Name
			}
		}
	}
	return "", ""
}

// unknownKey is the message of a warning that is an author's mistake. The other
// warnings are about what this version does not support yet.
const unknownKey = "unknown key"

// checkTextNow reports a text that is not what it was before init. when says when that
// is.
func (w *worker) checkTextNow(when string) error {
	if w.plugin.own.config == nil {
		return nil
	}
	now, err := w.configNow()
	if err != nil {
		return err
	}
	if now.Asked != "" {
		w.add(Finding{Code: codeConfigChanges, Message: fmt.Sprintf("asked again %s, it returns another text: %s", when, now.Asked)})
	}
	if now.Kept != "" {
		w.add(Finding{Code: codeConfigChanges, Message: fmt.Sprintf("%s, what it returned before init is not there any more: %s", when, now.Kept)})
	}
	return nil
}

// compareText reports a text that another process does not get.
func (w *worker) compareText() {
	first, now := w.plugin.own.config, w.description().Config
	if first == nil || now == nil || *first == *now {
		return
	}
	w.add(Finding{Code: codeConfigChanges, Message: "in another process it returns another text"})
}

// unknownMethod reports that a method which is described does not exist.
func (e *env) unknownMethod(m *method, a *answer) {
	e.shared.broken[m] = true
	const answers = "and a call with it answers %v"
	if m.own == nil {
		e.add(m.finding(codeMethodMissing, "nyash.toml gives it the id %d, "+answers, m.id, a))
		return
	}
	e.add(m.finding(codeMethodUnknown, "the library describes it with the id %d, "+answers, m.id, a))
}

// source is where something is declared.
type source struct {
	name string // for people, with the line
	file string // of nyash.toml, or empty
	line int
}

func (e *env) sourceAt(at registry.Position, toml bool) source {
	if toml {
		return source{fmt.Sprintf("nyash.toml (line %d)", at.Line), e.config.TOML, at.Line}
	}
	if filepath.Base(at.File) == registry.ManifestName {
		return source{name: fmt.Sprintf("%s (line %d)", registry.ManifestName, at.Line)}
	}
	return source{name: fmt.Sprintf("its self-description (line %d)", at.Line)}
}

// argsSource is where a method's arguments are declared; they are.
func (e *env) argsSource(m *method) source {
	if m.conf != nil && (m.conf.ArgsDeclared || m.own == nil) {
		return e.sourceAt(m.conf.Pos, true)
	}
	return e.sourceAt(m.own.Pos, false)
}

// returnsSource is where a method's result is declared; it is.
func (e *env) returnsSource(m *method) source {
	if m.conf != nil && (m.conf.Returns != (registry.Returns{}) || m.own == nil) {
		return e.sourceAt(m.conf.Pos, true)
	}
	return e.sourceAt(m.own.Pos, false)
}
