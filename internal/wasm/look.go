package wasm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// Interface is what the file of a module tells of it, which is not run for that. Names are fit
// to be shown.
type Interface struct {
	Imports []Function // sorted; with those that no host offers
	Exports []Function // those that hosts call, in an order of their own
	Others  []string   // names of the exports that are not
	Memory  *Memory    // nil where it has none
	// Lacks are the functions that a plugin must export, and this one does not.
	Lacks []string
	// Faults are why no host would run it, one each; errors.Is knows their reasons.
	Faults []error
}

// Function is a function that a module imports or exports.
type Function struct {
	Module string // of an import
	Name   string
	Type   string // as in the text format: "(i32) → (i32)"
	Fault  string // why no host would run a module with it; empty for nothing
}

// Memory is how much memory a module has, in bytes.
type Memory struct {
	Least uint64 // that it begins with
	Most  uint64 // that it declares itself; 0 for none
}

// Look reads the file of a module. Where that has a fault of its own the error says it, and the
// interface has what comes before that; it is nil where the file could not be read.
func Look(file string) (*Interface, error) {
	text, err := files.ReadRegular(file, maxFile)
	if err != nil {
		return nil, &native.Error{File: file, Reason: native.ErrOpen, Detail: contract.Excerpt(err.Error()), Err: err}
	}
	if err := checkFile(text); err != nil {
		return &Interface{}, notModule(file, err)
	}
	_, read, err := interruptible(text)
	f := readFace(read)
	shown := &Interface{}
	if read.Memory != nil {
		shown.Memory = &Memory{Least: uint64(read.Memory.Low) * pageSize}
		if read.Memory.Bounded {
			shown.Memory.Most = uint64(read.Memory.High) * pageSize
		}
	}
	texts := make(map[functionKey]string)
	if err == nil {
		shown.addFaults(file, &f, texts)
	} else {
		err = notModule(file, err)
	}
	slices.SortStableFunc(f.imports, func(a, b function) int {
		return cmp.Or(strings.Compare(a.module, b.module), strings.Compare(a.name, b.name))
	})
	for _, i := range f.imports {
		shown.Imports = append(shown.Imports, i.shown(texts))
	}
	for _, known := range exports {
		if e := f.export(known.name); e != nil {
			shown.Exports = append(shown.Exports, e.shown(texts))
		}
	}
	for _, e := range f.exports {
		if !isExport(e.name) {
			shown.Others = append(shown.Others, contract.Excerpt(e.name))
		}
	}
	return shown, err
}

// maxFaults is how many faults are said one by one.
const maxFaults = 16

func (i *Interface) addFaults(file string, f *face, texts map[functionKey]string) {
	faults := f.faults()
	for n, fault := range faults {
		of := fault.function
		texts[of.key()] = fault.text
		if errors.Is(fault.reason, native.ErrSymbol) && of.name != "" && f.export(of.name) == nil {
			i.Lacks = append(i.Lacks, of.name)
		}
		switch {
		case n < maxFaults:
			i.Faults = append(i.Faults, &native.Error{File: file, Reason: fault.reason, Detail: fault.text})
		case n == maxFaults:
			i.Faults = append(i.Faults, &native.Error{File: file, Reason: fault.reason, Detail: fmt.Sprintf("and %d faults more", len(faults)-maxFaults)})
		}
	}
}

// readFace is the face that a file describes.
func readFace(read *meter.Interface) face {
	var f face
	for _, i := range read.Imports {
		switch i.Kind {
		case meter.FunctionKind:
			f.imports = append(f.imports, function{i.Module, i.Name, i.Type.Params, i.Type.Results})
		case meter.MemoryKind:
			f.foreign = true
		default:
			f.unusable = fmt.Sprintf("%v %s", i.Kind, contract.Excerpt(i.Module+"."+i.Name))
		}
	}
	for _, e := range read.Exports {
		switch {
		case e.Kind == meter.FunctionKind:
			f.exports = append(f.exports, function{"", e.Name, e.Type.Params, e.Type.Results})
		case e.Kind == meter.MemoryKind && e.Name == memoryName:
			f.memory = true
		}
	}
	return f
}

// functionKey tells functions apart. A function may be imported twice, with two types.
type functionKey struct{ module, name, params, results string }

func (f *function) key() functionKey {
	return functionKey{f.module, f.name, string(f.params), string(f.results)}
}

// shown is the function as it is shown. texts are the faults.
func (f *function) shown(texts map[functionKey]string) Function {
	return Function{
		Module: contract.Excerpt(f.module), Name: contract.Excerpt(f.name), Type: signature(f.params, f.results),
		Fault: texts[f.key()],
	}
}

func isExport(name string) bool {
	return slices.ContainsFunc(exports, func(e export) bool { return e.name == name })
}

// IsModule reports whether there is a regular file that begins as a module does.
func IsModule(file string) bool {
	f, _, err := files.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [len(magic)]byte
	n, _ := f.ReadAt(head[:], 0)
	return string(head[:n]) == magic
}
