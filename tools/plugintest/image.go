package plugintest

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// image is what a library's file says.
type image struct {
	format  string
	needed  []string
	exports []string
}

// readImage reads the file's tables, whatever system it is for.
func readImage(file string) (*image, error) {
	if f, err := elf.Open(file); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return readELF(f)
	}
	if f, err := macho.Open(file); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return readMachO(f)
	}
	if f, err := pe.Open(file); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return readPE(f)
	}
	return nil, errors.New("it is neither ELF nor Mach-O nor PE")
}

func readELF(f *elf.File) (*image, error) {
	im := &image{format: fmt.Sprintf("ELF %v", f.Machine)}
	var err error
	if im.needed, err = f.ImportedLibraries(); err != nil {
		return nil, err
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	for _, s := range symbols {
		global := elf.ST_BIND(s.Info) == elf.STB_GLOBAL
		visible := elf.ST_VISIBILITY(s.Other) == elf.STV_DEFAULT
		if global && visible && s.Section != elf.SHN_UNDEF {
			im.exports = append(im.exports, s.Name)
		}
	}
	return im, nil
}

func readMachO(f *macho.File) (*image, error) {
	im := &image{format: fmt.Sprintf("Mach-O %v", f.Cpu)}
	var err error
	if im.needed, err = f.ImportedLibraries(); err != nil {
		return nil, err
	}
	if f.Symtab == nil {
		return im, nil
	}
	const external, kind = 0x01, 0x0e // N_EXT, N_TYPE
	for _, s := range f.Symtab.Syms {
		if s.Type&external != 0 && s.Type&kind != 0 {
			im.exports = append(im.exports, strings.TrimPrefix(s.Name, "_"))
		}
	}
	return im, nil
}

// readPE leaves out the exports, which debug/pe does not read.
func readPE(f *pe.File) (*image, error) {
	needed, err := f.ImportedLibraries()
	return &image{format: fmt.Sprintf("PE machine %#x", f.Machine), needed: needed}, err
}

// linkerSymbols are those that linkers put into every library.
var linkerSymbols = []string{"_init", "_fini", "_edata", "_end", "__bss_start", "__end__", "_bss_end__", "__bss_start__", "__bss_end__"}

// extra are the exported symbols that are not the plugin's business with a host.
func (im *image) extra() []string {
	return slices.DeleteFunc(slices.Clone(im.exports), func(s string) bool {
		return strings.HasPrefix(s, "nyash_") || slices.Contains(linkerSymbols, s)
	})
}

// checkFile looks at the library's file.
func (t *Tester) checkFile(tell bool) {
	im, err := readImage(t.config.File)
	if err != nil {
		if !errors.Is(err, io.EOF) && tell {
			t.line("its tables cannot be read: %v", err)
		}
		return
	}
	t.exports = im.exports
	if tell {
		t.line("%s, needs %s", im.format, list(im.needed, "nothing"))
	}
	if extra := im.extra(); len(extra) > 0 && tell {
		t.add(Finding{Code: codeExtraSymbol, Message: "it exports " + list(cutList(extra, 8), "")})
	}
}

func list(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

func cutList(words []string, most int) []string {
	if len(words) <= most {
		return words
	}
	return append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
}

// checkLibrary checks what the library says of itself. It is loaded by now.
func (t *Tester) checkLibrary() error {
	return t.scenario(rigOptions{}, func(r *rig) error {
		d := r.session.Description()
		t.checkDescription(d)
		if len(t.boxes) == 0 {
			t.skip("its methods are not known: it does not describe itself, and no --config does")
		}
		for _, b := range t.boxes {
			t.line("%s, type %d", b.name, b.typeID)
			for _, m := range b.methods {
				t.line("  %s = %d%s", m.name, m.id, signatureText(d, m))
			}
		}
		return nil
	})
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

func (t *Tester) checkDescription(d abi.Description) {
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
		t.add(f)
	}
	if len(d.Methods) > 0 && d.TypeName == "" {
		t.add(Finding{Code: codeDescription, Message: "it describes methods and gives no type_name", Expected: "type_name"})
	}
}
