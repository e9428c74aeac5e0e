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
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	if len(head) < headerSize {
		return notLibrary(file, "the file is cut short: %d bytes, less than an ELF header", size)
	}
	machine := elf.Machine(order.Uint16(head[18:]))
	if want := elfMachines[runtime.GOARCH]; machine != want {
		return notLibrary(file, "it was built for %v, and this program runs on %v (%s)", machine, want, runtime.GOARCH)
	}
	if kind := elf.Type(order.Uint16(head[16:])); kind != elf.ET_DYN {
		return notLibrary(file, "it is an ELF file of type %v; build it with -shared", kind)
	}
	return inspectSegments(file, head, size, order)
}

// Sizes of elf.Header64 and elf.Prog64. The fields are read one by one, where
// encoding/binary would take longer than all the rest.
const (
	headerSize  = 64
	segmentSize = 56
)

// inspectSegments compares what the program headers promise with the size of
// the file: the loader maps them unseen, and touching a page past the end of a
// file kills the process.
func inspectSegments(file string, head []byte, size int64, order binary.ByteOrder) error {
	table, count := order.Uint64(head[32:]), uint64(order.Uint16(head[56:]))
	for i := range count {
		at := table + i*segmentSize
		if at < table || at+segmentSize < at || at+segmentSize > uint64(len(head)) {
			return notLibrary(file, "the file is cut short or damaged: program header %d lies at byte %d", i, at)
		}
		segment := head[at:]
		offset, length := order.Uint64(segment[8:]), order.Uint64(segment[32:])
		end := offset + length
		if elf.ProgType(order.Uint32(segment)) == elf.PT_LOAD && (end < offset || end > uint64(size)) {
			return notLibrary(file, "the file is cut short: it has %d bytes, and its segments need %d", size, end)
		}
	}
	return nil
}
