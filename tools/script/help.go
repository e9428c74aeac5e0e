package script

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// commandHelp is what help says of the session.
const commandHelp = `
  f = FileBox()       makes a box; f.method(argument, name = argument) calls it
  help(FileBox)       shows a box, its methods and their arguments; help(f.open) a method
  catch(f.open, …)    calls, and gives the value and the error, one of which is None
  _                   is the last value
  why                 explains the last error
  exit                ends the session, as Ctrl-D does

A block ends with an empty line. Tab completes names, methods and arguments. Ctrl-C ends
what runs, or drops the line.
`

func (s *Session) help(thread *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var about starlark.Value
	if err := starlark.UnpackArgs(fn.Name(), args, kwargs, "about?", &about); err != nil {
		return nil, err
	}
	text, err := s.helpOn(thread, about)
	if err != nil {
		return nil, err
	}
	return starlark.None, s.env.write(contract.PrintableLines(text))
}

func (s *Session) helpOn(thread *starlark.Thread, about starlark.Value) (string, error) {
	switch v := about.(type) {
	case nil:
		return s.overview(), nil
	case *boxValue:
		return boxHelp(v.box.Type()), nil
	case starlark.String:
		if t := s.typeOf(string(v)); t != nil {
			return boxHelp(t), nil
		}
	case *starlark.Builtin:
		if box, ok := v.Receiver().(*boxValue); ok {
			return methodHelp(box.box.Type(), v.Name()), nil
		}
		if s.boxes[v] {
			t, err := s.env.host.Type(contextOf(thread), v.Name())
			if err != nil {
				return "", err
			}
			return boxHelp(t), nil
		}
	case *starlark.Function:
		text := functionLine(v) + "\n"
		if doc := v.Doc(); doc != "" {
			text += "  " + doc + "\n"
		}
		return text, nil
	}
	if v, ok := about.(starlark.HasAttrs); ok {
		return fmt.Sprintf("a %s, which has %s\n", v.Type(), strings.Join(v.AttrNames(), ", ")), nil
	}
	return fmt.Sprintf("%v, a %s of Starlark\n", about, about.Type()), nil
}

// overview lists the boxes and the commands. It loads no library.
func (s *Session) overview() string {
	var b strings.Builder
	b.WriteString("Boxes:\n")
	for _, name := range s.env.host.Boxes() {
		b.WriteString("  " + contract.Printable(name))
		if box, ok := s.env.host.Config().Box(name); !ok {
			b.WriteString(" (built in)")
		} else if line, _, _ := strings.Cut(box.Doc, "\n"); line != "" {
			b.WriteString("  " + line)
		}
		b.WriteByte('\n')
	}
	return b.String() + commandHelp
}

func boxHelp(t *registry.Type) string {
	var b strings.Builder
	b.WriteString(constructorLine(t))
	if t.Singleton {
		b.WriteString(", a singleton")
	}
	b.WriteByte('\n')
	paragraph(&b, "  ", t.Doc)
	paragraph(&b, "  ", t.BirthDoc)
	argHelp(&b, "    ", t.Birth)
	for i := range t.Methods {
		b.WriteString("  ." + t.Methods[i].String() + "\n")
		paragraph(&b, "      ", t.Methods[i].Doc)
	}
	fmt.Fprintf(&b, "  .%s()\n      Ends the box before its time.\n", finalise)
	return b.String()
}

func methodHelp(t *registry.Type, name string) string {
	m := methodOf(t, name)
	if m == nil {
		return fmt.Sprintf("%s.%s()\n", t.Name, name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.%v\n", t.Name, *m)
	paragraph(&b, "  ", m.Doc)
	argHelp(&b, "    ", m.Signature)
	return b.String()
}

// constructorLine is how a box is made.
func constructorLine(t *registry.Type) string { return t.Name + t.Birth.String() }

func paragraph(b *strings.Builder, indent, text string) {
	if text != "" {
		b.WriteString(indent + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+indent) + "\n")
	}
}

func argHelp(b *strings.Builder, indent string, s registry.Signature) {
	for _, a := range s.Args {
		if a.Doc != "" {
			paragraph(b, indent, a.Name+": "+a.Doc)
		}
	}
}

func functionLine(f *starlark.Function) string {
	names := make([]string, f.NumParams())
	for i := range names {
		names[i], _ = f.Param(i)
	}
	return f.Name() + "(" + strings.Join(names, ", ") + ")"
}
