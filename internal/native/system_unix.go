//go:build darwin || freebsd || linux || netbsd

package native

import "github.com/ebitengine/purego"

// System is the address of a function or a variable of the C library, or of another that this
// process has loaded for all; 0 where there is none of that name.
func System(name string) uintptr {
	addr, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
	if err != nil {
		return 0
	}
	return addr
}

// CallSystem calls a C function that takes and returns integers or pointers. What args point at
// must be kept alive, and is not moved meanwhile.
func CallSystem(fn uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}

// CallbackFor is the address of a C function that calls fn, which takes and returns uintptrs. It
// stays for as long as the process lives, and there are some 2,000 at most.
func CallbackFor(fn any) uintptr { return purego.NewCallback(fn) }

// HandleOf opens a library, which may be open, and returns the system loader's handle; 0 where it
// cannot be opened. It is never closed.
func HandleOf(file string) uintptr {
	handle, err := openLibrary(file)
	if err != nil {
		return 0
	}
	return handle
}
