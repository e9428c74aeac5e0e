//go:build amd64 || arm64

package probe

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// Relocations by which the loader writes the address of another library's function, whole.
var ofImports = map[elf.Machine][]uint32{
	elf.EM_X86_64:  {uint32(elf.R_X86_64_JMP_SLOT), uint32(elf.R_X86_64_GLOB_DAT), uint32(elf.R_X86_64_64)},
	elf.EM_AARCH64: {uint32(elf.R_AARCH64_JUMP_SLOT), uint32(elf.R_AARCH64_GLOB_DAT), uint32(elf.R_AARCH64_ABS64)},
}

// replaceImports has a library that is open call other functions than those that it imports, by
// name. Only the library's own calls change. handle is the loader's.
func replaceImports(file string, handle uintptr, with map[string]uintptr) error {
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // which was only read
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return err
	}
	// glibc's and musl's handle is a structure that begins with where the library is.
	var base uint64
	if err := cmem.Copy(unsafe.Pointer(&base), handle, unsafe.Sizeof(base)); err != nil {
		return err
	}
	// Pages that the loader has made read-only can be written through this file.
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = memory.Close() }()
	for _, section := range f.Sections {
		if section.Type != elf.SHT_RELA || section.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		data, err := section.Data()
		if err != nil {
			return err
		}
		for ; len(data) >= relaSize; data = data[relaSize:] {
			var r elf.Rela64
			r.Off, r.Info, r.Addend = binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:]), int64(binary.LittleEndian.Uint64(data[16:]))
			symbol := elf.R_SYM64(r.Info)
			if symbol == 0 || int(symbol) > len(symbols) || r.Addend != 0 || !isImport(f.Machine, elf.R_TYPE64(r.Info)) {
				continue
			}
			s := &symbols[symbol-1]
			addr, have := with[s.Name]
			if !have || s.Section != elf.SHN_UNDEF {
				continue
			}
			if _, err := memory.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(addr)), int64(base+r.Off)); err != nil {
				return err
			}
		}
	}
	return nil
}

// relaSize is the size of a relocation, in bytes.
const relaSize = 24

func isImport(machine elf.Machine, kind uint32) bool {
	for _, k := range ofImports[machine] {
		if k == kind {
			return true
		}
	}
	return false
}
