//go:build freebsd || linux || netbsd

package native

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
)

var elfMachines = map[string]elf.Machine{
	"386":     elf.EM_386,
	"amd64":   elf.EM_X86_64,
	"arm":     elf.EM_ARM,
	"arm64":   elf.EM_AARCH64,
	"loong64": elf.EM_LOONGARCH,
	"ppc64le": elf.EM_PPC64,
	"riscv64": elf.EM_RISCV,
	"s390x":   elf.EM_S390,
}

func inspectFormat(file string, head []byte, size int64) error {
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return notLibrary(file, "it is no ELF file: it starts with %s", startsWith(head))
	}
	if len(head) < elf.EI_NIDENT {
		return notLibrary(file, "the file is cut short: %d bytes", size)
	}
	if elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 {
		return notLibrary(file, "it is a 32-bit library, and this program is a %s one", runtime.GOARCH)
	}
	fields := elfFields{head, elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB}
	if len(head) < headerSize {
		return notLibrary(file, "the file is cut short: %d bytes, less than an ELF header", size)
	}
	machine := elf.Machine(fields.uint16(18))
	if want := elfMachines[runtime.GOARCH]; machine != want {
		return notLibrary(file, "it was built for %v, and this program runs on %v (%s)", machine, want, runtime.GOARCH)
	}
	if kind := elf.Type(fields.uint16(16)); kind != elf.ET_DYN {
		return notLibrary(file, "it is an ELF file of type %v; build it with -shared", kind)
	}
	return inspectSegments(file, fields, size)
}

// Sizes of elf.Header64 and elf.Prog64. The fields are read one by one, where
// encoding/binary would take longer than all the rest.
const (
	headerSize  = 64
	segmentSize = 56
)

// elfFields reads the fields of a header. It is no binary.ByteOrder, through which the header
// would escape to the heap.
type elfFields struct {
	head []byte
	big  bool // big-endian
}

func (f elfFields) uint16(at uint64) uint16 {
	if f.big {
		return binary.BigEndian.Uint16(f.head[at:])
	}
	return binary.LittleEndian.Uint16(f.head[at:])
}

func (f elfFields) uint32(at uint64) uint32 {
	if f.big {
		return binary.BigEndian.Uint32(f.head[at:])
	}
	return binary.LittleEndian.Uint32(f.head[at:])
}

func (f elfFields) uint64(at uint64) uint64 {
	if f.big {
		return binary.BigEndian.Uint64(f.head[at:])
	}
	return binary.LittleEndian.Uint64(f.head[at:])
}

// inspectSegments compares what the program headers promise with the size of
// the file: the loader maps them unseen, and touching a page past the end of a
// file kills the process.
func inspectSegments(file string, f elfFields, size int64) error {
	table, count := f.uint64(32), uint64(f.uint16(56))
	for i := range count {
		at := table + i*segmentSize
		if at < table || at+segmentSize < at || at+segmentSize > uint64(len(f.head)) {
			return notLibrary(file, "the file is cut short or damaged: program header %d lies at byte %d", i, at)
		}
		offset, length := f.uint64(at+8), f.uint64(at+32)
		end := offset + length
		if elf.ProgType(f.uint32(at)) == elf.PT_LOAD && (end < offset || end > uint64(size)) {
			return notLibrary(file, "the file is cut short: it has %d bytes, and its segments need %d", size, end)
		}
	}
	return nil
}
