package inspect

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// WriteTOML writes the entry of the library for nyash.toml, with all that is known of
// its boxes. library is how the entry names the library: a name for the search paths,
// or a path relative to nyash.toml. What the library asks to use is written as its `uses`,
// with a comment on what that means, and what else it asks for as comments, as is what
// nothing tells of a box that has a table.
func WriteTOML(w io.Writer, r *Report, library string) error {
	if len(r.types)+len(r.untold) == 0 {
		return fmt.Errorf("%s describes no box, so that there is nothing to write; write the entry by hand, as docs/nyash-toml.md says and its author documents it", r.Library)
	}
	e := &entry{report: r}
	e.comment("What the library says of itself. Where a key is left out, the library decides.")
	head := toml.Key{"plugins"}
	if len(r.Lacks) > 0 {
		// Only this form does without the symbols that are missing.
		head = toml.Key{"libraries", library}
		e.table(head)
		e.set("boxes", e.names())
		e.set("path", library)
		e.library()
		e.line("")
	}
	for i, t := range r.types {
		if i > 0 {
			e.line("")
		}
		name := e.name(t.Name)
		key := append(head[:len(head):len(head)], name)
		e.table(key)
		if len(r.Lacks) == 0 {
			e.set("library", library)
		}
		if name != t.Name {
			e.set("box", t.Name)
		}
		e.box(t, i == 0 && len(r.Lacks) == 0)
		e.line("")
		e.table(append(key, "methods"))
		e.methods(t)
	}
	for i, name := range r.untold {
		if i+len(r.types) > 0 {
			e.line("")
		}
		e.skeleton(append(head[:len(head):len(head)], name), library)
	}
	if e.err != nil {
		return fmt.Errorf("write TOML: %w", e.err)
	}
	_, err := w.Write(e.text.Bytes())
	return err
}

// entry is an entry for nyash.toml while it is written. Every key and value is encoded
// by package toml.
type entry struct {
	report *Report
	text   bytes.Buffer
	err    error // the first
}

func (e *entry) line(text string) { e.text.WriteString(text + "\n") }

func (e *entry) comment(text string) { lines(&e.text, "# ", "# ", text) }

func (e *entry) table(key toml.Key) { e.line("[" + key.String() + "]") }

// set writes a key with its value on one line.
func (e *entry) set(key string, v any) {
	text, err := keyValue(key, v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.line(text)
}

func keyValue(key string, v any) (string, error) {
	text, err := toml.Marshal(map[string]any{key: v})
	return strings.TrimSuffix(string(text), "\n"), err
}

// name is what the nyash.toml that named the library calls one of its boxes.
func (e *entry) name(box string) string {
	if len(e.report.Lacks) > 0 || e.report.declared == nil { // the [libraries] form has no other names
		return box
	}
	for _, b := range e.report.declared.Boxes {
		if b.LibraryName == box {
			return b.Name
		}
	}
	return box
}

func (e *entry) names() []string {
	all := make([]string, len(e.report.types))
	for i, t := range e.report.types {
		all[i] = t.Name
	}
	return append(all, e.report.untold...)
}

// skeleton is the entry of a box that has a table, to be completed by hand.
func (e *entry) skeleton(key toml.Key, library string) {
	e.comment(fmt.Sprintf("The library has a table for %s, which tells neither its type id, a number of its own for each box of the library, nor its methods. Write both as its author documents them; the table resolves methods by name.", key[len(key)-1]))
	e.table(key)
	if len(e.report.Lacks) == 0 {
		e.set("library", library)
	}
	e.line("# type_id = 11")
	e.line("")
	e.table(append(key[:len(key):len(key)], "methods"))
	e.line("# text = {}")
}

// library writes the keys that are the library's, not a box's.
func (e *entry) library() {
	if e.report.Threads != "" && e.report.Module == nil {
		e.set("threads", e.report.Threads)
	}
	if m := e.report.Module; m != nil && m.Files {
		e.comment("It may open files, and finds none but those in the folders that a line like this gives it.")
		e.line(`# permissions = { read = ["./data"], write = ["./out"] }`)
	}
	if len(e.report.uses) == 0 {
		return
	}
	uses := make([]string, len(e.report.uses))
	for i, u := range e.report.uses {
		uses[i] = u.String()
	}
	e.comment("It asks to call what follows. While this line is not in nyash.toml, it may call nothing.")
	e.set("uses", uses)
}

func (e *entry) box(t *registry.Type, first bool) {
	e.set("type_id", t.ID)
	if t.Doc != "" {
		e.set("doc", t.Doc)
	}
	if t.Singleton {
		e.set("singleton", true)
	}
	if first { // later entries need not repeat it
		e.library()
	}
	asked := false
	for _, request := range e.report.Requests {
		if request.Box != t.Name || request.Key == "uses" {
			continue
		}
		if !asked {
			e.comment("It asks for what follows, and gets it only where it is written here; this version does not read it yet.")
			asked = true
		}
		e.line("# " + request.Key + " = " + request.TOML)
	}
}

func (e *entry) methods(t *registry.Type) {
	if t.Birth.ArgsDeclared || t.BirthDoc != "" {
		e.method(&registry.Method{Name: abi.NameBirth, Signature: t.Birth, Doc: t.BirthDoc}, inline{})
	}
	for i := range t.Methods {
		m := &t.Methods[i]
		e.method(m, inline{{"method_id", m.ID}})
	}
}

// method writes one method. Arguments that nyash.toml has no words for are left to the
// manifest, which is what declares such.
func (e *entry) method(m *registry.Method, keys inline) {
	s := m.Signature
	s.Returns.Box = e.name(s.Returns.Box)
	beyond := s.Variadic || slices.ContainsFunc(s.Args, func(a registry.Arg) bool { return a.Optional || a.Default != nil })
	if beyond {
		s.ArgsDeclared = false
	}
	text, err := keyValue(m.Name, keys.declared(&s, m.Leaf, m.Doc))
	if err != nil && e.err == nil {
		e.err = err
	}
	if beyond {
		text += " # args: from " + registry.ManifestName
	}
	e.line(text)
}

// inline is a table on one line, whose keys have an order. Package toml writes tables
// so only inside of arrays.
type inline []struct {
	key   string
	value any
}

// MarshalTOML implements [toml.Marshaler].
func (t inline) MarshalTOML() ([]byte, error) {
	if len(t) == 0 {
		return []byte("{}"), nil
	}
	parts := make([]string, len(t))
	for i, f := range t {
		var err error
		if parts[i], err = keyValue(f.key, f.value); err != nil {
			return nil, err
		}
	}
	return []byte("{ " + strings.Join(parts, ", ") + " }"), nil
}

func (t inline) with(key string, v any) inline {
	return append(t, inline{{key, v}}...)
}

// declared adds what is declared of a method.
func (t inline) declared(s *registry.Signature, leaf bool, doc string) inline {
	if s.ArgsDeclared {
		args := make([]any, len(s.Args))
		for i, a := range s.Args {
			args[i] = argument(a)
		}
		t = t.with("args", args)
	}
	if s.Returns != (registry.Returns{}) {
		t = t.with("returns", s.Returns.String())
	}
	if s.ReturnsResult {
		t = t.with("returns_result", true)
	}
	if leaf {
		t = t.with("leaf", true)
	}
	if doc != "" {
		t = t.with("doc", doc)
	}
	return t
}

// argument is an entry of args: a name alone where nothing else is declared.
func argument(a registry.Arg) any {
	if a.From == registry.ArgAny && a.To == 0 && a.Doc == "" {
		return a.Name
	}
	t := inline{{"name", a.Name}}
	if a.From != registry.ArgAny {
		t = t.with("from", a.From.String())
	}
	if a.To != tlv.Tag(0) {
		t = t.with("to", a.To.String())
	}
	if a.Doc != "" {
		t = t.with("doc", a.Doc)
	}
	return t
}
