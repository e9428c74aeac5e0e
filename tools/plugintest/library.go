package plugintest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/objfile"
)

// CheckOfFile is the name of the check that makes no calls of methods.
const CheckOfFile = "check"

// libraryCheck loads the library and compares its self-description with the
// contract.
var libraryCheck = check{
	name:    CheckOfFile,
	summary: "load the library, and check its symbols and its self-description",
	inspect: inspectFile,
	run:     checkLibrary,
}

// inspectFile reports what the file needs and exports.
func inspectFile(e *env) {
	if isModule(e.config) {
		inspectModule(e)
		return
	}
	file, err := objfile.Read(e.config.File)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			e.line("cannot read its symbols: %v", err)
		}
		return
	}
	e.line("%s, needs %s", file.Format, list(file.Needs, "nothing"))
	if extra := e.runtime.symbols(file.Others()); len(extra) > 0 {
		e.add(Finding{Code: codeExtraSymbol, Message: "it exports " + list(cutList(extra, 8), "")})
	}
}

// list joins names of a file's tables, which may hold anything.
func list(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return contract.Printable(strings.Join(words, ", "))
}

func cutList(words []string, most int) []string {
	if len(words) <= most {
		return words
	}
	return append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
}

func checkLibrary(e *env) error {
	return e.withWorker(workerOptions{}, func(w *worker) error {
		d := w.description()
		e.line("generation: %s", generations(d))
		e.checkDescription(d)
		if err := e.checkOwnText(w); err != nil {
			return err
		}
		for _, b := range e.plugin.boxes {
			e.line("%s, type %d", b.name, b.typeID)
			for _, m := range b.methods {
				e.line("  %s = %d%s", m.name, m.id, signatureText(d, m))
			}
		}
		return nil
	})
}

// generations are those that a library belongs to.
func generations(d abi.Description) string {
	text := d.Generation.String()
	if len(d.Tables) > 0 && d.Generation != abi.TypeBoxes {
		text += ", " + abi.TypeBoxes.String()
	}
	return text
}

func signatureText(d abi.Description, m *method) (text string) {
	for _, have := range d.Methods {
		if have.Name == m.name && have.Signature != 0 {
			text = fmt.Sprintf(", signature %#x", have.Signature)
		}
	}
	if m.declared != nil {
		text += " " + m.declared.Signature.String()
	}
	return text
}

func (e *env) checkDescription(d abi.Description) {
	for _, c := range contract.Contradictions(d) {
		f := Finding{Box: d.TypeName, Method: c.Method.Name}
		switch c.Kind {
		case contract.WrongReservedID, contract.TakenReservedID:
			f.Code, f.Message = codeReservedID, fmt.Sprintf("it describes %s with the id %d", c.Method.Name, c.Method.ID)
		case contract.DuplicateID:
			f.Code, f.Message = codeDuplicateID, fmt.Sprintf("it describes %s and %s with the id %d", c.Earlier.Name, c.Method.Name, c.Method.ID)
		case contract.DuplicateName:
			f.Code, f.Message = codeDuplicateName, fmt.Sprintf("it describes %s twice, with the ids %d and %d", c.Method.Name, c.Earlier.ID, c.Method.ID)
		}
		e.add(f)
	}
	if len(d.Methods) > 0 && d.TypeName == "" {
		e.add(Finding{Code: codeDescription, Message: "it describes methods and gives no type_name", Expected: "type_name"})
	}
}
