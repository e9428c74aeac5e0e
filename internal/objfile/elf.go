package objfile

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// layout is where the fields of ELF's structures are, which have two sizes.
type layout struct {
	header, section, symbol, dynamic          uint64 // sizes
	sections                                  uint64 // in the header: where they are
	sectionSize, sectionCount                 uint64 // in the header
	sectionOffset, sectionLength, sectionLink uint64 // in a section
	symbolInfo, symbolOther, symbolIndex      uint64 // in a symbol
	word                                      func(binary.ByteOrder, []byte) uint64
}

var (
	layout64 = layout{
		header: 64, section: 64, symbol: 24, dynamic: 16,
		sections: 40, sectionSize: 58, sectionCount: 60,
		sectionOffset: 24, sectionLength: 32, sectionLink: 40,
		symbolInfo: 4, symbolOther: 5, symbolIndex: 6,
		word: func(order binary.ByteOrder, b []byte) uint64 { return order.Uint64(b) },
	}
	layout32 = layout{
		header: 52, section: 40, symbol: 16, dynamic: 8,
		sections: 32, sectionSize: 46, sectionCount: 48,
		sectionOffset: 16, sectionLength: 20, sectionLink: 24,
		symbolInfo: 12, symbolOther: 13, symbolIndex: 14,
		word: func(order binary.ByteOrder, b []byte) uint64 { return uint64(order.Uint32(b)) },
	}
)

// elfFile is an ELF file while it is read.
type elfFile struct {
	*reader
	layout
	sections []byte
	count    uint64
}

func readELF(r *reader) (*File, error) {
	ident, err := r.bytes(0, elf.EI_NIDENT)
	if err != nil {
		return nil, ErrFormat
	}
	f := &elfFile{reader: r, layout: layout64}
	if elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS32 {
		f.layout = layout32
	}
	r.order = binary.LittleEndian
	if elf.Data(ident[elf.EI_DATA]) == elf.ELFDATA2MSB {
		r.order = binary.BigEndian
	}
	head, err := r.bytes(0, f.header)
	if err != nil {
		return nil, ErrFormat
	}
	of := &File{Format: "ELF " + strings.TrimPrefix(elf.Machine(r.order.Uint16(head[18:])).String(), "EM_")}
	f.count = uint64(r.order.Uint16(head[f.sectionCount:]))
	if size := uint64(r.order.Uint16(head[f.sectionSize:])); f.count > 0 && size != f.section {
		return of, damaged("a section header has %d bytes", size)
	}
	if f.sections, err = r.bytes(f.word(r.order, head[f.layout.sections:]), f.count*f.section); err != nil {
		return of, err
	}
	if err := f.needs(of); err != nil {
		return of, err
	}
	return of, f.symbols(of)
}

// find reads the first section of a kind and its names; both are empty where there is none.
func (f *elfFile) find(kind elf.SectionType) (data []byte, text names, err error) {
	for i := range f.count {
		header := f.sections[i*f.section:]
		if elf.SectionType(f.order.Uint32(header[4:])) != kind {
			continue
		}
		if data, err = f.contents(header); err != nil {
			return nil, "", err
		}
		link := uint64(f.order.Uint32(header[f.sectionLink:]))
		if link >= f.count {
			return nil, "", damaged("section %d has its names in section %d of %d", i, link, f.count)
		}
		strings, err := f.contents(f.sections[link*f.section:])
		return data, names(strings), err
	}
	return nil, "", nil
}

func (f *elfFile) contents(header []byte) ([]byte, error) {
	if elf.SectionType(f.order.Uint32(header[4:])) == elf.SHT_NOBITS {
		return nil, nil
	}
	return f.bytes(f.word(f.order, header[f.sectionOffset:]), f.word(f.order, header[f.sectionLength:]))
}

func (f *elfFile) needs(of *File) error {
	table, text, err := f.find(elf.SHT_DYNAMIC)
	for ; uint64(len(table)) >= f.dynamic; table = table[f.dynamic:] {
		switch elf.DynTag(f.word(f.order, table)) {
		case elf.DT_NULL:
			return err
		case elf.DT_NEEDED:
			of.need(text.at(f.word(f.order, table[f.dynamic/2:])))
		}
	}
	return err
}

// absolute tells whether a symbol has no section.
func (f *elfFile) absolute(symbol []byte) bool {
	return elf.SectionIndex(f.order.Uint16(symbol[f.symbolIndex:])) == elf.SHN_ABS
}

// versions are the names of the versions that the file defines.
func (f *elfFile) versions() (map[string]bool, error) {
	// Both structures have the same size in files of 32 and of 64 bits.
	const definition, auxiliary = 20, 8
	all := make(map[string]bool)
	table, text, err := f.find(elf.SHT_GNU_VERDEF)
	for uint64(len(table)) >= definition && len(all) < maxNames {
		// What follows the first name are those of the versions that it inherits.
		if aux := uint64(f.order.Uint32(table[12:])); aux+auxiliary <= uint64(len(table)) {
			all[text.at(uint64(f.order.Uint32(table[aux:])))] = true
		}
		next := uint64(f.order.Uint32(table[16:]))
		if next == 0 || next > uint64(len(table)) {
			break
		}
		table = table[next:]
	}
	return all, err
}

func (f *elfFile) symbols(of *File) error {
	table, text, err := f.find(elf.SHT_DYNSYM)
	if err != nil {
		return err
	}
	versions, err := f.versions()
	found := exports{file: of}
	for ; uint64(len(table)) >= f.symbol; table = table[f.symbol:] {
		visibility := elf.ST_VISIBILITY(table[f.symbolOther])
		visible := visibility == elf.STV_DEFAULT || visibility == elf.STV_PROTECTED
		if !visible || elf.SectionIndex(f.order.Uint16(table[f.symbolIndex:])) == elf.SHN_UNDEF {
			continue
		}
		if name := text.at(uint64(f.order.Uint32(table))); f.absolute(table) && versions[name] {
			continue // a linker script has named this version: it is no address that could be called
		}
		switch elf.ST_BIND(table[f.symbolInfo]) {
		case elf.STB_GLOBAL:
			found.add(text.at(uint64(f.order.Uint32(table))), false)
		case elf.STB_WEAK:
			found.add(text.at(uint64(f.order.Uint32(table))), true)
		}
	}
	of.sort()
	return err
}
