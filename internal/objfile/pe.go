package objfile

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	exportDirectorySize = 40
	// maxExports is how many names are read of a table that may promise any number.
	maxExports = 1 << 16
	maxSymbol  = 1 << 10 // bytes of a name
)

var errPE = errors.New("its table of exports is damaged")

// exportsPE reads the names in the export directory, which debug/pe leaves alone.
func exportsPE(f *pe.File) ([]string, error) {
	var directory pe.DataDirectory
	switch h := f.OptionalHeader.(type) {
	case *pe.OptionalHeader32:
		directory = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT]
	case *pe.OptionalHeader64:
		directory = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT]
	default:
		return nil, errors.New("it has no optional header")
	}
	if directory.VirtualAddress == 0 {
		return nil, nil
	}
	sections := newSections(f)
	head := sections.at(directory.VirtualAddress)
	if len(head) < exportDirectorySize {
		return nil, errPE
	}
	count, names := binary.LittleEndian.Uint32(head[24:]), binary.LittleEndian.Uint32(head[32:])
	table := sections.at(names)
	if count > maxExports || uint64(len(table)) < 4*uint64(count) {
		return nil, fmt.Errorf("%w: %d names", errPE, count)
	}
	all := make([]string, 0, count)
	for i := range count {
		text := sections.at(binary.LittleEndian.Uint32(table[4*i:]))
		end := bytes.IndexByte(text[:min(len(text), maxSymbol)], 0)
		if end < 0 {
			return all, fmt.Errorf("%w: name %d", errPE, i+1)
		}
		all = append(all, string(text[:end]))
	}
	return all, nil
}

// sections are the contents of a file's sections, each read once.
type sections struct {
	headers []*pe.Section
	data    [][]byte // nil until it is read
}

func newSections(f *pe.File) *sections {
	return &sections{headers: f.Sections, data: make([][]byte, len(f.Sections))}
}

// at is what lies at an address in memory, to the end of its section; nothing where
// no section has it.
func (s *sections) at(address uint32) []byte {
	for i, h := range s.headers {
		if address < h.VirtualAddress || address-h.VirtualAddress >= h.Size {
			continue
		}
		if s.data[i] == nil {
			s.data[i], _ = h.Data() // what cannot be read is not there
		}
		if offset := address - h.VirtualAddress; uint64(offset) < uint64(len(s.data[i])) {
			return s.data[i][offset:]
		}
		return nil
	}
	return nil
}
