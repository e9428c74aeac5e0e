package native

import (
	"errors"
	"fmt"
	"io"
)

// What can be wrong with a library, for errors.Is. Each comes wrapped in an
// [*Error] that says which library and what exactly.
var (
	// ErrNotLibrary: the file is not a shared library that this process can
	// load: text, damaged, or for another processor or system.
	ErrNotLibrary = errors.New("not a loadable shared library")
	// ErrNotModule is ErrNotLibrary of a WebAssembly module.
	ErrNotModule error = &Reworded{"not a loadable WebAssembly module", ErrNotLibrary}
	// ErrOpen: the system's loader refused the library.
	ErrOpen = errors.New("cannot be opened")
	// ErrSymbol: a function that a plugin must export is missing.
	ErrSymbol = errors.New("missing symbol")
	// ErrVersion: the plugin was built for another ABI version.
	ErrVersion = errors.New("wrong ABI version")
	// ErrConnect: nyash_plugin_connect returned an error code, or the process has no way
	// left to let one more library call its host.
	ErrConnect = errors.New("connect failed")
	// ErrInit: nyash_plugin_init returned an error code.
	ErrInit = errors.New("init failed")
	// ErrDescription: what init said about the plugin cannot be true.
	ErrDescription = errors.New("invalid self-description")
	// ErrBusy: the library is in use already in a way that excludes this one.
	ErrBusy = errors.New("in use already")
)

// Reworded is an error with a text of its own.
type Reworded struct {
	Text string
	Err  error // that it matches
}

func (e *Reworded) Error() string { return e.Text }

// Unwrap returns Err.
func (e *Reworded) Unwrap() error { return e.Err }

// Error is a failed load. Nothing of the library stays behind.
type Error struct {
	File   string // the library; empty where none was found
	Reason error  // what is wrong, for errors.Is
	Detail string // what was found and what to do; empty where Err says it all
	Err    error  // the cause below, such as an [abi.Code], or nil
}

func (e *Error) Error() string {
	if e.Detail == "" && e.Err != nil {
		return e.Err.Error()
	}
	return fmt.Sprintf("load %s: %v: %s", e.File, e.Reason, e.Detail)
}

// Format lets an Err that says it all say more for %+v.
func (e *Error) Format(s fmt.State, verb rune) {
	if e.Detail == "" && e.Err != nil {
		fmt.Fprintf(s, fmt.FormatString(s, verb), e.Err)
		return
	}
	io.WriteString(s, e.Error())
}

// Unwrap returns the reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}
