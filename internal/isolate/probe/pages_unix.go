//go:build unix

package probe

import "golang.org/x/sys/unix"

func mapPages(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func forbid(pages []byte) error { return unix.Mprotect(pages, unix.PROT_NONE) }

func unmapPages(pages []byte) { _ = unix.Munmap(pages) }
