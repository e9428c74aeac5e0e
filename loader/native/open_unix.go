//go:build darwin || freebsd || linux || netbsd

package native

import (
	"runtime"

	"github.com/ebitengine/purego"
)

// openLibrary resolves everything at once, so that a missing function is an
// error here and not a crash in a call, and keeps the library's names to itself.
func openLibrary(file string) (uintptr, error) {
	// purego asks for the error text in a second call, and C keeps it per
	// thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func findSymbol(handle uintptr, name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlsym(handle, name)
}

// closeLibrary has no error to report: the handle is one that openLibrary gave.
func closeLibrary(handle uintptr) { _ = purego.Dlclose(handle) }
