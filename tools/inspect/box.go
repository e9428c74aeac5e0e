package inspect

import (
	"fmt"
	"math"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Box is a box as listings show it.
type Box struct {
	Box       string   `json:"box"`
	TypeID    uint32   `json:"type_id"`
	Doc       string   `json:"doc,omitempty"`
	Singleton bool     `json:"singleton"`
	Birth     *Method  `json:"birth,omitempty"` // nil where nothing is said of it
	Methods   []Method `json:"methods"`
}

// Method is a method as listings show it.
type Method struct {
	Method        string `json:"method"`
	MethodID      uint32 `json:"method_id"`
	Doc           string `json:"doc,omitempty"`
	ArgsDeclared  bool   `json:"args_declared"`
	Args          []Arg  `json:"args"`
	Varargs       bool   `json:"varargs,omitempty"` // any number of arguments more
	Returns       string `json:"returns,omitempty"`
	ReturnsResult bool   `json:"returns_result,omitempty"`
	Leaf          bool   `json:"leaf,omitempty"` // its author's promise (docs/abi.md, "Leaf methods")
	// Hash is the hash of the declared types (docs/abi.md, "Signatures"), InitHash the
	// one that the library's init gives. Only an inspection has them.
	Hash     string `json:"signature,omitempty"`
	InitHash string `json:"init_signature,omitempty"`

	// Signature is the types as one line for people, and whether it is a leaf method.
	Signature string `json:"-"`
}

// Arg is a declared argument as listings show it.
type Arg struct {
	Name     string `json:"name"`
	From     string `json:"from"`
	To       string `json:"to,omitempty"`
	Optional bool   `json:"optional,omitempty"` // may be left out at the end
	// Default stands for one that is left out: a bool, int64, float64 or string. A float
	// that is no number in JSON is a string ("+Inf").
	Default any    `json:"default,omitempty"`
	Doc     string `json:"doc,omitempty"`
}

// Describe makes a listing of a type.
func Describe(t *registry.Type) Box {
	b := Box{Box: t.Name, TypeID: t.ID, Doc: doc(t.Doc), Singleton: t.Singleton, Methods: []Method{}}
	if t.Birth.ArgsDeclared || t.BirthDoc != "" {
		birth := describeMethod(&registry.Method{Name: abi.NameBirth, ID: abi.MethodBirth, Signature: t.Birth, Doc: t.BirthDoc})
		b.Birth = &birth
	}
	for i := range t.Methods {
		b.Methods = append(b.Methods, describeMethod(&t.Methods[i]))
	}
	return b
}

func describeMethod(m *registry.Method) Method {
	out := Method{
		Method: m.Name, MethodID: m.ID, Doc: doc(m.Doc), ArgsDeclared: m.ArgsDeclared, Args: []Arg{}, Varargs: m.Variadic,
		Returns: m.Returns.String(), ReturnsResult: m.ReturnsResult, Leaf: m.Leaf,
		Signature: m.Signature.String(),
	}
	if m.Leaf {
		out.Signature += ", leaf"
	}
	for _, a := range m.Args {
		arg := Arg{Name: a.Name, From: a.From.String(), Optional: a.Optional, Default: defaultOf(a), Doc: doc(a.Doc)}
		if a.To != 0 {
			arg.To = a.To.String()
		}
		out.Args = append(out.Args, arg)
	}
	return out
}

func defaultOf(a registry.Arg) any {
	if f, ok := a.Default.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return fmt.Sprint(f)
	}
	return a.Default
}

// doc is text for people, fit for terminals. That of a nyash.toml can be copied from a
// library, too.
func doc(text string) string { return contract.PrintableLines(text) }

// addHashes adds the hashes of the types that the library's text declares, and those
// that init gives where it describes this box.
func (b *Box) addHashes(t *registry.Type, init abi.Description) {
	for i := range t.Methods {
		if m := &t.Methods[i]; m.Pos != (registry.Position{}) { // the text declares it
			b.Methods[i].Hash = hashText(sig.Hash(m.Name, m.Signature))
		}
	}
	if init.TypeName != "" && init.TypeName != b.Box || init.TypeName == "" && init.TypeID != 0 && init.TypeID != b.TypeID {
		return
	}
	for _, have := range init.Methods {
		for i := range b.Methods {
			if m := &b.Methods[i]; m.Method == have.Name && have.Signature != 0 {
				m.InitHash = hashText(have.Signature)
			}
		}
	}
}

func hashText(hash uint32) string { return fmt.Sprintf("0x%08x", hash) }

// initBox is what init alone says of its box.
func initBox(name string, init abi.Description) Box {
	b := Box{Box: name, TypeID: init.TypeID, Methods: []Method{}}
	for _, m := range init.Methods {
		b.Methods = append(b.Methods, describeMethod(&registry.Method{Name: m.Name, ID: m.ID}))
	}
	return b
}
