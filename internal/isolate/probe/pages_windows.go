package probe

import (
	"golang.org/x/sys/windows"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

func mapPages(size int) ([]byte, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	return cmem.Memory(addr, size), nil
}

func forbid(pages []byte) error {
	var old uint32
	return windows.VirtualProtect(uintptr(cmem.Address(pages)), uintptr(len(pages)), windows.PAGE_NOACCESS, &old)
}

func unmapPages(pages []byte) {
	_ = windows.VirtualFree(uintptr(cmem.Address(pages)), 0, windows.MEM_RELEASE)
}
