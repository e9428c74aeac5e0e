//go:build amd64 || arm64

package probe

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// errImports means that a library's imports cannot be told.
var errImports = errors.New("the library's imports cannot be told")

// Relocations by which the loader writes the address of another library's function, whole.
var ofImports = map[elf.Machine][]uint32{
	elf.EM_X86_64:  {uint32(elf.R_X86_64_JMP_SLOT), uint32(elf.R_X86_64_GLOB_DAT), uint32(elf.R_X86_64_64)},
	elf.EM_AARCH64: {uint32(elf.R_AARCH64_JUMP_SLOT), uint32(elf.R_AARCH64_GLOB_DAT), uint32(elf.R_AARCH64_ABS64)},
}

// relaSize is the size of a relocation, in bytes.
const relaSize = 24

// importsOf opens a library, and finds the addresses at which it has those of functions of other
// libraries, by name: where they are replaced, the library's own calls go elsewhere, and no others.
func importsOf(file string, wanted func(name string) bool) (slots map[string][]uint64, err error) {
	defer func() {
		if r := recover(); r != nil { // a damaged file
			slots, err = nil, fmt.Errorf("%w: %v", errImports, r)
		}
	}()
	base, err := baseOf(file)
	if err != nil {
		return nil, err
	}
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // which was only read
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	slots = make(map[string][]uint64)
	for _, section := range f.Sections {
		if section.Type != elf.SHT_RELA || section.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		data, err := section.Data()
		if err != nil {
			return nil, err
		}
		for ; len(data) >= relaSize; data = data[relaSize:] {
			offset, info, addend := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:]), binary.LittleEndian.Uint64(data[16:])
			symbol := elf.R_SYM64(info)
			if symbol == 0 || int(symbol) > len(symbols) || addend != 0 || !slices.Contains(ofImports[f.Machine], elf.R_TYPE64(info)) {
				continue
			}
			if s := &symbols[symbol-1]; s.Section == elf.SHN_UNDEF && wanted(s.Name) {
				slots[s.Name] = append(slots[s.Name], base+offset)
			}
		}
	}
	return slots, nil
}

// baseOf opens a library, which may be open, and tells where it lies.
func baseOf(file string) (base uint64, err error) {
	m, err := mappingOf(file)
	return m.base, err
}

// mapping is what the handle of glibc and of musl, a structure, begins with.
type mapping struct {
	base uint64
	path uintptr // of the file that was found, a C string
}

func mappingOf(file string) (m mapping, err error) {
	handle := native.HandleOf(file)
	if handle == 0 {
		return m, errImports
	}
	err = cmem.Copy(unsafe.Pointer(&m), handle, unsafe.Sizeof(m))
	return m, err
}

// cxxLibraries are those that the functions of C++ itself are in.
var cxxLibraries = regexp.MustCompile(`^lib(stdc\+\+|c\+\+|c\+\+abi)\.so`)

// cxxLibrariesOf are the files of those that a library, which is open, uses.
func cxxLibrariesOf(library string) (files []string) {
	f, err := elf.Open(library)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()  // which was only read
	needs, _ := f.ImportedLibraries() // none where they cannot be read
	for _, name := range needs {
		if !cxxLibraries.MatchString(name) {
			continue
		}
		if m, err := mappingOf(name); err == nil {
			if path, err := cmem.CString(m.path, unix.PathMax); err == nil {
				files = append(files, path)
			}
		}
	}
	return files
}

// redirect has slots hold other addresses.
func redirect(targets map[uint64]uint64) error {
	// Pages that the loader has made read-only can be written through this file.
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = memory.Close() }() // written at once
	for slot, target := range targets {
		if _, err := memory.WriteAt(binary.LittleEndian.AppendUint64(nil, target), int64(slot)); err != nil {
			return err
		}
	}
	return nil
}
