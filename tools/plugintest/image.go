package plugintest

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// image is what the tables of a library's file hold.
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
	return nil, errors.New("not an ELF, Mach-O or PE file")
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

// linkerSymbols are symbols that linkers add to every library.
var linkerSymbols = []string{"_init", "_fini", "_edata", "_end", "__bss_start", "__end__", "_bss_end__", "__bss_start__", "__bss_end__"}

// extraExports are the exported symbols that are not part of the plugin ABI.
func (im *image) extraExports() []string {
	return slices.DeleteFunc(slices.Clone(im.exports), func(s string) bool {
		return strings.HasPrefix(s, "nyash_") || slices.Contains(linkerSymbols, s)
	})
}
