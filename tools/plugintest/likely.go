package plugintest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Some arguments cannot be invented: the name of a mode, or a key that another method has answered. They
// are looked for where such stand, after what can.

const (
	maxRemembered  = 24 // values that methods have answered
	rememberedSize = 64 // bytes of each
	rememberedBlob = 4 << 10
	maxWords       = 60 // of the library's file, that are tried for an argument
)

// likely are the argument lists to try, the likely ones first.
func (e *env) likely(m *method) func(yield func([]tlv.Value) bool) {
	return func(yield func([]tlv.Value) bool) {
		for values := range e.candidates(m) {
			if !yield(values) {
				return
			}
		}
		if e.shared.hasWorkingSample(m) || m.declared == nil || !m.declared.ArgsDeclared {
			return
		}
		e.replaced(m, yield)
	}
}

// withSetup are those of likely, after such with the texts that the calls before it were given, which the library may know
// now.
func (e *env) withSetup(m *method, setup []setupCall) func(yield func([]tlv.Value) bool) {
	return func(yield func([]tlv.Value) bool) {
		if m.declared != nil && m.declared.ArgsDeclared {
			first := e.firstValues(m)
			for _, c := range setup {
				for _, v := range c.args {
					if first != nil && isText(v) && !slices.Contains(sampleValues, v) && !yield(withTexts(first, v.Data())) {
						return
					}
				}
			}
		}
		for values := range e.likely(m) {
			if !yield(values) {
				return
			}
		}
	}
}

// replaced are the first argument list of the declared types with one of them replaced.
func (e *env) replaced(m *method, yield func([]tlv.Value) bool) {
	choices := e.plugin.declaredChoices(m.declared.Args)
	base := make([]tlv.Value, len(choices))
	for i, c := range choices {
		if len(c) == 0 {
			return
		}
		base[i] = c[0]
	}
	for i := range base {
		for _, v := range e.found(m, base[i].Tag()) {
			values := slices.Clone(base)
			if values[i] = v; !yield(values) {
				return
			}
		}
	}
}

// found are the values of a type that stand in a method's description, that others have answered, and
// that the library's file contains.
func (e *env) found(m *method, tag tlv.Tag) (all []tlv.Value) {
	for _, v := range e.shared.answers {
		if v.Tag() == tag {
			all = append(all, v)
		}
	}
	if tag != tlv.TagString && tag != tlv.TagBytes {
		return all
	}
	for _, word := range slices.Concat(m.describedWords(), formTexts, rareForms, e.shared.words[:min(len(e.shared.words), maxWords)]) {
		all = append(all, textOf(tag, word))
	}
	return all
}

// rareForms are texts of forms that few methods read: cells, times, addresses, conditions, codes.
var rareForms = []string{
	"=1+1", "A1", "1+1", "(1)", "12:30", "2024-01-02", "2024-01-02T12:30:00Z", "5m", "#102030", "00ff", "YQ==", "1-2", "1.2.3", "* * * * *", "a.b", "/a", "127.0.0.1", "http://a.b/c",
	"a@b.c", "$a", "{{a}}", "a|b", "a>1", "a > 1", "a & b", "a -> b", "a:1,b:2", "USD", "en", "123e4567-e89b-12d3-a456-426614174000",
}

// exampleIn finds an example, and wordIn words in quotes, and those of lists: "a, b or c".
var exampleIn = regexp.MustCompile(`\b(?:such as|for example|e\.g\.|like|as in|example:),? ([^\s,;"'` + "`" + `]{1,40})`)

var wordIn = regexp.MustCompile("[\"'`]([^\"'`]{1,24})[\"'`]|([^\\s,;:.()]{1,12}),|\\bor ([^\\s,;:.()]{1,12})")

// describedWords are the words of a method's doc, and of its arguments', that may be values.
func (m *method) describedWords() (all []string) {
	if m.declared == nil {
		return nil
	}
	docs := []string{m.declared.Doc}
	for _, a := range m.declared.Args {
		docs = append(docs, a.Doc)
	}
	text := strings.Join(docs, "\n")
	for _, found := range exampleIn.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.TrimRight(found[1], ".:!?"))
	}
	for _, found := range wordIn.FindAllStringSubmatch(text, -1) {
		for _, word := range found[1:] {
			if word != "" && !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	return all
}

// rememberBlob keeps the bytes of a blob that a method has answered.
func (e *env) rememberBlob(a *answer) {
	if n := len(a.blob); n == 0 || n > rememberedBlob || len(e.shared.answers) >= maxRemembered {
		return
	}
	for _, v := range e.shared.answers {
		if data, ok := e.plugin.blobData(v); ok && bytes.Equal(data, a.blob) {
			return
		}
	}
	e.shared.answers = append(e.shared.answers, e.plugin.givenBlob(slices.Clone(a.blob)))
}

// remember keeps a value that a method has answered: another may take it.
func (s *shared) remember(a *answer) {
	v, ok := a.value()
	switch {
	case !ok || len(s.answers) >= maxRemembered || slices.Contains(s.answers, v):
		return
	case isText(v) && (v.Len() == 0 || v.Len() > rememberedSize), v.Tag() == tlv.TagHandle, v.Tag() == tlv.TagBlob, v.Tag() == tlv.TagVoid:
		return
	}
	s.answers = append(s.answers, v)
}
