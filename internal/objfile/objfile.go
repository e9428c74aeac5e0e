// Package objfile reads the tables of a library's file, of whatever system and
// processor, without loading it: what it needs and what it exports. Any file may be
// read, however damaged; names come from the file as they are, and are not fit to be
// shown.
package objfile

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// ErrFormat means that a file is of none of the formats that are read.
var ErrFormat = errors.New("not an ELF, Mach-O or PE file")

// File is what the tables of a library's file hold.
type File struct {
	Format  string   // with the processor
	Needs   []string // libraries
	Exports []string // sorted
	// Weak are exported symbols that give way to others of the same name. Compilers
	// make them by themselves, of templates in C++ for example.
	Weak []string
}

// Read reads a file's tables. What is no regular file is not opened: that could wait for
// ever. Where only a part can be read, both results are set.
func Read(file string) (*File, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrFormat
	}
	if f, err := elf.Open(file); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return readELF(f)
	}
	if f, err := macho.Open(file); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return readMachO(f, "Mach-O")
	}
	if f, err := macho.OpenFat(file); err == nil {
		defer f.Close()                                        //nolint:errcheck // it was only read
		return readMachO(f.Arches[0].File, "universal Mach-O") // all export the same
	}
	if f, err := pe.Open(file); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return readPE(f)
	}
	return nil, ErrFormat
}

func readELF(f *elf.File) (*File, error) {
	of := &File{Format: "ELF " + strings.TrimPrefix(f.Machine.String(), "EM_")}
	var err error
	if of.Needs, err = f.ImportedLibraries(); err != nil {
		return of, err
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return of, err
	}
	for _, s := range symbols {
		visible := elf.ST_VISIBILITY(s.Other) == elf.STV_DEFAULT || elf.ST_VISIBILITY(s.Other) == elf.STV_PROTECTED
		if !visible || s.Section == elf.SHN_UNDEF {
			continue
		}
		switch elf.ST_BIND(s.Info) {
		case elf.STB_GLOBAL:
			of.Exports = append(of.Exports, s.Name)
		case elf.STB_WEAK:
			of.Weak = append(of.Weak, s.Name)
		}
	}
	of.sort()
	return of, nil
}

func readMachO(f *macho.File, format string) (*File, error) {
	of := &File{Format: format + " " + strings.TrimPrefix(f.Cpu.String(), "Cpu")}
	var err error
	if of.Needs, err = f.ImportedLibraries(); err != nil {
		return of, err
	}
	if f.Symtab == nil {
		return of, nil
	}
	const (
		external, kind, private = 0x01, 0x0e, 0x10 // N_EXT, N_TYPE, N_PEXT
		weak                    = 0x80             // N_WEAK_DEF
	)
	for _, s := range f.Symtab.Syms {
		name := strings.TrimPrefix(s.Name, "_")
		switch {
		case s.Type&external == 0 || s.Type&kind == 0 || s.Type&private != 0:
		case s.Desc&weak != 0:
			of.Weak = append(of.Weak, name)
		default:
			of.Exports = append(of.Exports, name)
		}
	}
	of.sort()
	return of, nil
}

func readPE(f *pe.File) (*File, error) {
	of := &File{Format: "PE " + peMachine(f.Machine)}
	var err error
	if of.Needs, err = f.ImportedLibraries(); err != nil {
		return of, err
	}
	if of.Exports, err = exportsPE(f); err != nil {
		return of, err
	}
	of.sort()
	return of, nil
}

func peMachine(machine uint16) string {
	switch machine {
	case pe.IMAGE_FILE_MACHINE_I386:
		return "386"
	case pe.IMAGE_FILE_MACHINE_AMD64:
		return "AMD64"
	case pe.IMAGE_FILE_MACHINE_ARM64:
		return "ARM64"
	}
	return fmt.Sprintf("machine %#x", machine)
}

func (f *File) sort() {
	slices.Sort(f.Exports)
	slices.Sort(f.Weak)
}

// linkerSymbols are symbols that linkers add to every library.
var linkerSymbols = []string{"_init", "_fini", "_edata", "_end", "__bss_start", "__end__", "_bss_end__", "__bss_start__", "__bss_end__"}

// prefix is what the symbols of the plugin ABI begin with.
const prefix = "nyash_"

// Plugin are the exported symbols of the plugin ABI, weak ones too: a loader finds
// both.
func (f *File) Plugin() []string {
	var all []string
	for _, s := range slices.Concat(f.Exports, f.Weak) {
		if strings.HasPrefix(s, prefix) {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Others are the exported symbols that are not part of the plugin ABI.
func (f *File) Others() []string {
	return slices.DeleteFunc(slices.Clone(f.Exports), func(s string) bool {
		return strings.HasPrefix(s, prefix) || slices.Contains(linkerSymbols, s)
	})
}
