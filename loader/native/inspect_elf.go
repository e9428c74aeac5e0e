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
	var h elf.Header64
	if _, err := binary.Decode(head, order, &h); err != nil {
		return notLibrary(file, "the file is cut short: %d bytes, less than an ELF header", size)
	}
	if want := elfMachines[runtime.GOARCH]; elf.Machine(h.Machine) != want {
		return notLibrary(file, "it was built for %v, and this program runs on %v (%s)", elf.Machine(h.Machine), want, runtime.GOARCH)
	}
	if elf.Type(h.Type) != elf.ET_DYN {
		return notLibrary(file, "it is an ELF file of type %v; build it with -shared", elf.Type(h.Type))
	}
	return inspectSegments(file, head, size, order, &h)
}

// inspectSegments compares what the program headers promise with the size of
// the file: the loader maps them unseen, and touching a page past the end of a
// file kills the process.
func inspectSegments(file string, head []byte, size int64, order binary.ByteOrder, h *elf.Header64) error {
	var p elf.Prog64
	entry := uint64(binary.Size(p))
	for i := range uint64(h.Phnum) {
		at := h.Phoff + i*entry
		if at < h.Phoff || at+entry > uint64(len(head)) {
			return notLibrary(file, "the file is cut short or damaged: program header %d lies at byte %d", i, at)
		}
		if _, err := binary.Decode(head[at:], order, &p); err != nil {
			return notLibrary(file, "program header %d: %v", i, err)
		}
		if end := p.Off + p.Filesz; elf.ProgType(p.Type) == elf.PT_LOAD && (end < p.Off || end > uint64(size)) {
			return notLibrary(file, "the file is cut short: it has %d bytes, and its segments need %d", size, end)
		}
	}
	return nil
}
