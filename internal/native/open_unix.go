//go:build darwin || freebsd || linux || netbsd

package native

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// libdl are the system loader's own functions. purego's, which find them, take
// microseconds of reflection for each call, and a library needs six.
type libdl struct{ dlopen, dlsym, dlerror uintptr }

var systemLoader = sync.OnceValues(func() (dl libdl, err error) {
	for name, addr := range map[string]*uintptr{"dlopen": &dl.dlopen, "dlsym": &dl.dlsym, "dlerror": &dl.dlerror} {
		if *addr, err = purego.Dlsym(purego.RTLD_DEFAULT, name); err != nil {
			return dl, fmt.Errorf("find the system's %s: %w", name, err)
		}
	}
	return dl, nil
})

// maxErrorText is more than any message of dlerror has, in bytes.
const maxErrorText = 64 << 10

// call calls dlopen or dlsym, whose result is 0 where they fail. Their error
// text comes from a second call, and C keeps it per thread.
func (dl libdl) call(fn, first, second uintptr) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	result, _, _ := purego.SyscallN(fn, first, second)
	if result != 0 {
		return result, nil
	}
	text, _, _ := purego.SyscallN(dl.dlerror)
	if text == 0 {
		return 0, errors.New("the system's loader gives no reason")
	}
	message, err := cmem.CString(text, maxErrorText)
	if err != nil {
		return 0, err
	}
	return 0, errors.New(message)
}

// openLibrary resolves everything at once, so that a missing function is an
// error here and not a crash in a call, and keeps the library's names to itself.
func openLibrary(file string) (uintptr, error) {
	dl, err := systemLoader()
	if err != nil {
		return 0, err
	}
	name := cstring(file)
	defer runtime.KeepAlive(name)
	return dl.call(dl.dlopen, uintptr(unsafe.Pointer(name)), purego.RTLD_NOW|purego.RTLD_LOCAL)
}

// symbols are names as C has them, for looking them up in one library after the other.
type symbols []*byte

func newSymbols(names []string) symbols {
	s := make(symbols, len(names))
	for i, name := range names {
		s[i] = cstring(name)
	}
	return s
}

// find finds the address of each symbol; 0 is that of one which the library does not export.
func (s symbols) find(handle uintptr, addrs []uintptr) {
	dl, err := systemLoader()
	if err != nil {
		return
	}
	args := []uintptr{handle, 0} // for all, because they escape
	for i, name := range s {
		args[1] = uintptr(unsafe.Pointer(name))
		addrs[i], _, _ = purego.SyscallN(dl.dlsym, args...)
	}
	runtime.KeepAlive(s)
}

// findOptional is findSymbol for a symbol that may be missing, which is 0. It does not ask
// for the loader's reason.
func findOptional(handle uintptr, symbol string) uintptr {
	var addr [1]uintptr
	symbols{cstring(symbol)}.find(handle, addr[:])
	return addr[0]
}

func findSymbol(handle uintptr, symbol string) (uintptr, error) {
	dl, err := systemLoader()
	if err != nil {
		return 0, err
	}
	name := cstring(symbol)
	defer runtime.KeepAlive(name)
	return dl.call(dl.dlsym, handle, uintptr(unsafe.Pointer(name)))
}

// closeLibrary has no error to report: the handle is one that openLibrary gave.
func closeLibrary(handle uintptr) { _ = purego.Dlclose(handle) }
