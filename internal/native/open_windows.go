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

// closeLibrary has no error to report: the handle is one that openLibrary gave.
func closeLibrary(handle uintptr) { _ = windows.FreeLibrary(windows.Handle(handle)) }
