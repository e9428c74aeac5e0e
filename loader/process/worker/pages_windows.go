package worker

import (
	"golang.org/x/sys/windows"

	"github.com/nyash-plugins/nyash-go/abi"
)

func mapPages(size int) ([]byte, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	return abi.Memory(addr, size), nil
}

func forbid(pages []byte) error {
	var old uint32
	return windows.VirtualProtect(uintptr(abi.Address(pages)), uintptr(len(pages)), windows.PAGE_NOACCESS, &old)
}

func unmapPages(pages []byte) {
	_ = windows.VirtualFree(uintptr(abi.Address(pages)), 0, windows.MEM_RELEASE)
}
