package native

import "golang.org/x/sys/windows"

// openLibrary looks for the library's own dependencies beside it first.
func openLibrary(file string) (uintptr, error) {
	h, err := windows.LoadLibraryEx(file, 0, windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR|windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	return uintptr(h), err
}

func findSymbol(handle uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(handle), name)
}

// symbols are names that are looked up in one library after the other.
type symbols []string

func newSymbols(names []string) symbols { return names }

// find finds the address of each symbol; 0 is that of one which the library does not export.
func (s symbols) find(handle uintptr, addrs []uintptr) {
	for i, name := range s {
		addrs[i] = findOptional(handle, name)
	}
}

// findOptional is findSymbol for a symbol that may be missing, which is 0.
func findOptional(handle uintptr, name string) uintptr {
	addr, err := findSymbol(handle, name)
	if err != nil {
		return 0
	}
	return addr
}

// closeLibrary has no error to report: the handle is one that openLibrary gave.
func closeLibrary(handle uintptr) { _ = windows.FreeLibrary(windows.Handle(handle)) }
