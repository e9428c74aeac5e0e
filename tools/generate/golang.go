package generate

import (
	"fmt"
	"go/format"
	"go/token"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Go is a file of the named package with a Go type for each box. The boxes are those of
// [HostBoxes].
func Go(pkg string, boxes []*registry.Type) ([]byte, error) {
	if !token.IsIdentifier(pkg) || pkg == "_" {
		return nil, fmt.Errorf("%s is no name for a Go package", contract.Printable(fmt.Sprintf("%q", pkg)))
	}
	p := &goPrinter{types: make(map[string]string)}
	taken := make(map[string]bool)
	for _, t := range boxes {
		p.types[t.Name] = goTypeName(t.Name, taken)
	}
	p.f("%s\n\npackage %s\n\nimport (\n\"context\"\n", header("go"), pkg)
	if slices.ContainsFunc(boxes, func(t *registry.Type) bool { return len(t.Methods) > 0 }) {
		p.f("\"errors\"\n")
	}
	p.f("\"fmt\"\n\n\"github.com/nyash-plugins/nyash-go/loader\"\n)\n")
	for _, t := range boxes {
		p.box(t)
	}
	text, err := format.Source(p.Bytes())
	if err != nil {
		return nil, fmt.Errorf("a mistake of nyash gen: %w", err)
	}
	return text, nil
}

// goTypeName is the name of a box's type, whose constructors are NewName and AsName.
func goTypeName(box string, taken map[string]bool) string {
	want := exported(box)
	name := want
	for n := 2; taken[name] || taken["New"+name] || taken["As"+name]; n++ {
		name = fmt.Sprintf("%s_%d", want, n)
	}
	taken[name], taken["New"+name], taken["As"+name] = true, true, true
	return name
}

// goPrinter writes a file of Go.
type goPrinter struct {
	printer
	types map[string]string // the Go types by the boxes' names
}

func (p *goPrinter) box(t *registry.Type) {
	name := p.types[t.Name]
	methods := newScope(goMethodNames, func(name string) string { return "Call" + name }).takeAll(namedMethods(t.Methods), exported)

	p.f("\n")
	p.comment("//", fmt.Sprintf("%s is the box %s.", name, t.Name))
	p.paragraph(t.Doc)
	if t.Singleton {
		p.paragraph("It is a singleton: all values of the type are the host's one box, and Close does nothing. It is safe for concurrent use.")
	} else {
		p.paragraph("It is safe for concurrent use, and its owner closes it.")
	}
	p.f("type %s struct {\nbox *loader.Box\n", name)
	if len(methods) > 0 {
		p.f("call struct {\n%s *loader.Method\n}\n", strings.Join(methods, ", "))
	}
	p.f("}\n")
	p.constructors(t, name, methods)
	for i, m := range t.Methods {
		p.method(name, methods[i], t.Name, m)
	}
}

func (p *goPrinter) constructors(t *registry.Type, name string, methods []string) {
	params, args := goParams(t.Birth)
	p.f("\n")
	if t.Singleton {
		p.comment("//", fmt.Sprintf("New%s returns the host's %s, which is born at the first call. The errors are those of [loader.Host.New].", name, t.Name))
	} else {
		p.comment("//", fmt.Sprintf("New%s makes a %s, which is the caller's to close. The errors are those of [loader.Host.New].", name, t.Name))
	}
	p.paragraph(t.BirthDoc)
	p.argDocs(t.Birth)
	p.f("func New%s(ctx context.Context, host *loader.Host%s) (*%s, error) {\n", name, params, name)
	p.f("box, err := host.New(ctx, %q%s)\nif err != nil {\nreturn nil, err\n}\n", t.Name, args)
	p.f("self, err := As%s(box)\nif err != nil {\n_ = box.Close()\n}\nreturn self, err\n}\n\n", name)

	p.comment("//", fmt.Sprintf("As%s is the typed form of a %s that the program has. It looks the methods up; calls look nothing up. A goroutine that calls a great deal does best with one of its own. The error is that of another box, or of a library without one of the methods.", name, t.Name))
	p.f("func As%s(box *loader.Box) (*%s, error) {\n", name, name)
	p.f("if box.Name() != %q {\nreturn nil, fmt.Errorf(\"%%v is no %%s\", box, %q)\n}\n", t.Name, t.Name)
	p.f("self := &%s{box: box}\n", name)
	if len(methods) > 0 {
		p.f("var errs [%d]error\n", len(methods))
		for i, m := range t.Methods {
			p.f("self.call.%s, errs[%d] = box.Method(%q)\n", methods[i], i, m.Name)
		}
		p.f("if err := errors.Join(errs[:]...); err != nil {\nreturn nil, err\n}\n")
	}
	p.f("return self, nil\n}\n\n")

	p.f("// Box is the untyped box, to pass it to other calls.\nfunc (self *%s) Box() *loader.Box { return self.box }\n\n", name)
	p.f("// Close is [loader.Box.Close].\nfunc (self *%s) Close() error { return self.box.Close() }\n\n", name)
	p.f("// String returns a name for logs.\nfunc (self *%s) String() string { return self.box.String() }\n", name)
}

func (p *goPrinter) method(typeName, name, box string, m registry.Method) {
	params, args := goParams(m.Signature)
	p.f("\n")
	p.comment("//", fmt.Sprintf("%s calls %s.%s.", name, box, m.Name))
	p.paragraph(m.Doc)
	p.argDocs(m.Signature)
	result := p.types[m.Returns.Box]
	if m.Returns.Tag == tlv.TagHandle {
		p.paragraph("The box is the caller's to close.")
	}
	if m.Returns.Tag == tlv.TagBlob {
		p.paragraph("The blob is the caller's to release.")
	}
	if m.Returns.Tag != tlv.TagVoid && m.Returns.Tag != 0 {
		// Where the compiler (as of Go 1.26) inlines the call of a generic function into
		// another package, it does not know that the function keeps no argument, and
		// would allocate each.
		p.f("//\n//go:noinline\n")
	}
	p.f("func (self *%s) %s(ctx context.Context%s) ", typeName, name, params)
	call := fmt.Sprintf("(ctx, self.call.%s%s)", name, args)
	switch {
	case m.Returns.Tag == tlv.TagVoid:
		p.f("error {\n_, err := self.call.%s.Call(ctx%s)\nreturn err\n}\n", name, args)
	case m.Returns.Tag == 0:
		p.f("(loader.Result, error) {\nreturn self.call.%s.Call(ctx%s)\n}\n", name, args)
	case result == "":
		p.f("(%[1]s, error) {\nreturn loader.Invoke[%[1]s]%[2]s\n}\n", goResults[m.Returns.Tag], call)
	default:
		p.f("(*%s, error) {\nbox, err := loader.Invoke[*loader.Box]%s\nif err != nil {\nreturn nil, err\n}\n", result, call)
		p.f("typed, err := As%s(box)\nif err != nil {\n_ = box.Close()\n}\nreturn typed, err\n}\n", result)
	}
}

var goResults = map[tlv.Tag]string{
	tlv.TagBool: "bool", tlv.TagInt32: "int32", tlv.TagInt64: "int64", tlv.TagFloat32: "float32", tlv.TagFloat64: "float64",
	tlv.TagString: "string", tlv.TagBytes: "[]byte", tlv.TagHandle: "*loader.Box", tlv.TagBlob: "*loader.Blob",
}

func goArgNames(args []registry.Arg) []string {
	return newScope(goParamNames, func(name string) string { return name + "Arg" }).takeAll(namedArgs(args), unexported)
}

// goParams are the parameters for the arguments and what is passed on, each with a comma
// before it. Arguments that may be left out are one parameter, see goTail.
func goParams(s registry.Signature) (params, args string) {
	if !s.ArgsDeclared {
		return ", args ...any", ", args..."
	}
	names, tail := goArgNames(s.Args), goTail(s)
	given := s.Args[:s.Required()]
	for i, a := range given {
		t := goParamType(a)
		params += ", " + names[i]
		if i+1 == len(given) || goParamType(given[i+1]) != t {
			params += " " + t
		}
		args += ", " + names[i]
		if t == goAnyBox {
			args += ".Box()"
		}
	}
	switch {
	case tail == "":
		return params, args
	case len(given) > 0:
		args = fmt.Sprintf("append([]any{%s}, %s...)", strings.TrimPrefix(args, ", "), tail)
	default:
		args = tail
	}
	return params + ", " + tail + " ...any", ", " + args + "..."
}

// goTail is the parameter for the arguments that a call may leave out, and for varargs;
// empty where there are none.
func goTail(s registry.Signature) string {
	if s.Required() == len(s.Args) && !s.Variadic {
		return ""
	}
	name := "args"
	for slices.Contains(goArgNames(s.Args[:s.Required()]), name) {
		name += "Tail"
	}
	return name
}

// goAnyBox takes the generated type of every box: nyash.toml does not say of which box an
// argument is.
const goAnyBox = "interface{ Box() *loader.Box }"

// goParamType is what a caller gives for an argument.
func goParamType(a registry.Arg) string {
	switch a.From {
	case registry.ArgString:
		return "string"
	case registry.ArgBytes:
		return "[]byte"
	case registry.ArgBool:
		return "bool"
	case registry.ArgBox:
		return goAnyBox
	case registry.ArgInteger:
		if a.To == tlv.TagInt32 {
			return "int32"
		}
		return "int64"
	case registry.ArgFloat:
		if a.To == tlv.TagFloat32 {
			return "float32"
		}
		return "float64"
	}
	switch a.To {
	case 0:
		return "any"
	case tlv.TagHandle:
		return goAnyBox
	case tlv.TagBlob:
		return "[]byte"
	}
	return goResults[a.To]
}

// paragraph adds a paragraph to a comment.
func (p *goPrinter) paragraph(doc string) {
	if len(commentLines(doc)) > 0 {
		p.f("//\n")
		p.comment("//", doc)
	}
}

// argDocs adds the docs of the arguments that have some, and a word on those that are not
// declared.
func (p *goPrinter) argDocs(s registry.Signature) {
	if !s.ArgsDeclared {
		p.paragraph("The arguments are not declared: each travels as its own type, and a box as its Box().")
		return
	}
	switch tail, required := goTail(s), s.Required(); {
	case tail == "":
	case required == len(s.Args):
		p.paragraph(tail + " is any number of arguments: each travels as its own type, and a box as its Box().")
	default:
		optional := registry.Signature{ArgsDeclared: true, Args: s.Args[required:], Variadic: s.Variadic}
		p.paragraph(fmt.Sprintf("%s is %v: what may be left out, from the last on. A box is passed as its Box().", tail, optional))
	}
	p.printer.argDocs("//", true, goArgNames(s.Args), s.Args)
}
