package native

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"runtime"
)

var machoCPUs = map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}

func inspectFormat(file string, head []byte, size int64) error {
	if len(head) < 16 {
		return notLibrary(file, "the file is cut short: %d bytes", size)
	}
	// A universal file holds several; the loader picks.
	if binary.BigEndian.Uint32(head) == macho.MagicFat {
		return nil
	}
	if binary.LittleEndian.Uint32(head) != macho.Magic64 {
		return notLibrary(file, "it is no 64-bit Mach-O file: it starts with %s", startsWith(head))
	}
	var h macho.FileHeader
	if err := binary.Read(bytes.NewReader(head), binary.LittleEndian, &h); err != nil {
		return notLibrary(file, "the file is cut short: %d bytes, less than a Mach-O header", size)
	}
	if want := machoCPUs[runtime.GOARCH]; h.Cpu != want {
		return notLibrary(file, "it was built for %v, and this program runs on %v", h.Cpu, want)
	}
	if h.Type != macho.TypeDylib && h.Type != macho.TypeBundle {
		return notLibrary(file, "it is a Mach-O file of type %v; build it with -dynamiclib", h.Type)
	}
	return nil
}
