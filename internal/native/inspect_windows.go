package native

import (
	"debug/pe"
	"encoding/binary"
	"runtime"
)

var peMachines = map[string]uint16{
	"386":   pe.IMAGE_FILE_MACHINE_I386,
	"amd64": pe.IMAGE_FILE_MACHINE_AMD64,
	"arm64": pe.IMAGE_FILE_MACHINE_ARM64,
}

func inspectFormat(file string, head []byte, size int64) error {
	if len(head) < 64 || head[0] != 'M' || head[1] != 'Z' {
		return notLibrary(file, "it is no DLL: it starts with %s", startsWith(head))
	}
	at := uint64(binary.LittleEndian.Uint32(head[60:]))
	if at+24 > uint64(len(head)) || string(head[at:at+4]) != "PE\x00\x00" {
		return notLibrary(file, "the file is cut short or damaged: its PE header lies at byte %d of %d", at, size)
	}
	if machine := binary.LittleEndian.Uint16(head[at+4:]); machine != peMachines[runtime.GOARCH] {
		return notLibrary(file, "it was built for machine %#x, and this program runs on %s", machine, runtime.GOARCH)
	}
	if flags := binary.LittleEndian.Uint16(head[at+22:]); flags&pe.IMAGE_FILE_DLL == 0 {
		return notLibrary(file, "it is a program, not a DLL")
	}
	return nil
}
