package objfile

import (
	"encoding/binary"
	"errors"
	"slices"
)

// WebAssembly is the Format of a module.
const WebAssembly = "WebAssembly module"

// The sections of a module that are read.
const (
	wasmImports = 2
	wasmExports = 7
)

var errWasm = errors.New("the module is cut short or damaged")

// readWasm reads a module: the modules that it imports from, and the functions that it exports.
func readWasm(r *reader) (*File, error) {
	f := &File{Format: WebAssembly}
	err := f.wasm(r)
	f.sort()
	return f, err
}

func (f *File) wasm(r *reader) error {
	for at := uint64(8); at < r.size; {
		head, err := r.bytes(at, min(6, r.size-at))
		if err != nil {
			return err
		}
		size, n := binary.Uvarint(head[1:])
		if n <= 0 {
			return errWasm
		}
		at += 1 + uint64(n)
		if head[0] == wasmImports || head[0] == wasmExports {
			section, err := r.bytes(at, size)
			if err != nil {
				return err
			}
			if err := f.wasmSection(head[0], &wasmReader{rest: section}); err != nil {
				return err
			}
		}
		if size > r.size-at {
			return errWasm
		}
		at += size
	}
	return nil
}

func (f *File) wasmSection(id byte, s *wasmReader) error {
	found := exports{file: f}
	for i := s.number(); i > 0 && !s.short; i-- {
		if id == wasmExports {
			name, kind := s.name(), s.number()
			s.number()
			if kind == 0 && !s.short {
				found.add(name, false)
			}
			continue
		}
		if module := s.name(); !slices.Contains(f.Needs, module) && !s.short {
			f.need(module)
		}
		s.name()
		if kind := s.number(); kind != 0 { // others than functions end what is read
			return nil
		}
		s.number()
	}
	if s.short {
		return errWasm
	}
	return nil
}

// wasmReader reads a section. What is not there reads as nothing, and short is set.
type wasmReader struct {
	rest  []byte
	short bool
}

func (s *wasmReader) number() uint64 {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 {
		s.rest, s.short = nil, true
		return 0
	}
	s.rest = s.rest[n:]
	return v
}

func (s *wasmReader) name() string {
	n := s.number()
	if n > uint64(len(s.rest)) {
		s.rest, s.short = nil, true
		return ""
	}
	name := string(s.rest[:min(n, maxName)])
	s.rest = s.rest[n:]
	return name
}
