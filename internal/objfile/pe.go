package objfile

import (
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of PE's structures.
const (
	fileHeaderSize      = 20
	sectionHeaderSize   = 40
	maxSections         = 96 // that Windows loads
	exportDirectorySize = 40
	importEntrySize     = 20
)

var errPE = errors.New("its table of exports is damaged")

// damaged is the error of a table that cannot be what it says.
func damaged(format string, args ...any) error {
	return fmt.Errorf("the file is damaged: "+format, args...)
}

// peFile is a PE file while it is read.
type peFile struct {
	*reader
	sections []peSection
}

// peSection is a section, whose contents are read once.
type peSection struct {
	address, size, offset uint32
	data                  []byte // nil until it is read
	text                  names  // the same
	err                   error
}

func readPE(r *reader) (*File, error) {
	r.order = binary.LittleEndian
	dos, err := r.bytes(0, 64)
	if err != nil {
		return nil, ErrFormat
	}
	at := uint64(r.order.Uint32(dos[60:]))
	head, err := r.bytes(at, 4+fileHeaderSize)
	if err != nil || string(head[:4]) != "PE\x00\x00" {
		return nil, ErrFormat
	}
	header := head[4:]
	of := &File{Format: "PE " + peMachine(r.order.Uint16(header))}
	optional, err := r.bytes(at+4+fileHeaderSize, uint64(r.order.Uint16(header[16:])))
	if err != nil {
		return of, err
	}
	f := &peFile{reader: r}
	count := r.order.Uint16(header[2:])
	if count > maxSections {
		return of, damaged("it has %d sections", count)
	}
	table, err := r.bytes(at+4+fileHeaderSize+uint64(len(optional)), uint64(count)*sectionHeaderSize)
	if err != nil {
		return of, err
	}
	for ; len(table) > 0; table = table[sectionHeaderSize:] {
		f.sections = append(f.sections, peSection{address: r.order.Uint32(table[12:]), size: r.order.Uint32(table[16:]), offset: r.order.Uint32(table[20:])})
	}
	directories, err := f.directories(optional)
	if err != nil {
		return of, err
	}
	if len(directories) > pe.IMAGE_DIRECTORY_ENTRY_IMPORT {
		f.imports(of, directories[pe.IMAGE_DIRECTORY_ENTRY_IMPORT])
	}
	if len(directories) > pe.IMAGE_DIRECTORY_ENTRY_EXPORT {
		err = f.exports(of, directories[pe.IMAGE_DIRECTORY_ENTRY_EXPORT])
	}
	of.sort()
	return of, err
}

// directories are the addresses of the tables that the optional header lists.
func (f *peFile) directories(optional []byte) (all []uint32, err error) {
	const pe32, pe64 = 0x10b, 0x20b
	if len(optional) < 2 {
		return nil, errors.New("it has no optional header")
	}
	at := 0
	switch f.order.Uint16(optional) {
	case pe32:
		at = 92
	case pe64:
		at = 108
	}
	if at == 0 || len(optional) < at+4 {
		return nil, errors.New("it has no optional header")
	}
	const size = 8 // of an entry: address and length
	table := optional[at+4:]
	for range min(f.order.Uint32(optional[at:]), 16) {
		if len(table) < size {
			break
		}
		all = append(all, f.order.Uint32(table))
		table = table[size:]
	}
	return all, nil
}

// imports notes the libraries that the file needs; a table that is damaged has no more.
func (f *peFile) imports(of *File, address uint32) {
	if address == 0 {
		return
	}
	table, _ := f.at(address)
	for ; len(table) >= importEntrySize && f.order.Uint32(table[12:]) != 0 && len(of.Needs) < maxNames; table = table[importEntrySize:] {
		library, _ := f.name(f.order.Uint32(table[12:]))
		of.need(library)
	}
}

// exports notes the names in the export directory.
func (f *peFile) exports(of *File, address uint32) error {
	if address == 0 {
		return nil
	}
	head, err := f.at(address)
	if err != nil {
		return err
	}
	if len(head) < exportDirectorySize {
		return errPE
	}
	count := f.order.Uint32(head[24:])
	table, err := f.at(f.order.Uint32(head[32:]))
	if err != nil {
		return err
	}
	if count > maxNames || uint64(len(table)) < 4*uint64(count) {
		return fmt.Errorf("%w: %d names", errPE, count)
	}
	found := exports{file: of}
	for i := range count {
		name, ok := f.name(f.order.Uint32(table[4*i:]))
		if !ok {
			return fmt.Errorf("%w: name %d", errPE, i+1)
		}
		found.add(name, false)
	}
	return nil
}

// at is what lies at an address in memory, to the end of its section; nothing where
// no section has it.
func (f *peFile) at(address uint32) ([]byte, error) {
	s, err := f.section(address)
	if s == nil {
		return nil, err
	}
	return s.data[address-s.address:], nil
}

// name is the name at an address, if there is one.
func (f *peFile) name(address uint32) (name string, ok bool) {
	s, _ := f.section(address)
	if s == nil {
		return "", false
	}
	at := uint64(address - s.address)
	name = s.text.at(at)
	return name, at+uint64(len(name)) < uint64(len(s.data))
}

// section is the section that has an address, and nil where none has it.
func (f *peFile) section(address uint32) (*peSection, error) {
	for i := range f.sections {
		s := &f.sections[i]
		if address < s.address || address-s.address >= s.size {
			continue
		}
		if s.data == nil && s.err == nil {
			s.data, s.err = f.bytes(uint64(s.offset), uint64(s.size))
			s.text = names(s.data)
		}
		if s.err != nil {
			return nil, s.err
		}
		return s, nil
	}
	return nil, nil
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
