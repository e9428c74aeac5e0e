// Package hostvtable makes the permanent functions that plugins call their
// host through: alloc, free, wake and log (docs/abi.md, section 1, "The host
// table"), and for those that connect resolve and invoke.
//
// It is for the packages that load libraries; a program that uses plugins
// meets it only through the options of package loader.
//
// A plugin may keep its table and call through it for as long as the process
// lives, from any thread. So a [Table] belongs to one library file for good:
// it is never freed, never moves and is never given to another file, and a
// message that arrives after its library was closed still carries the right
// name. Loading the same file again finds the same table.
//
// None of the C functions is told which plugin is calling. Each table
// therefore has entry points of its own: a few bytes of assembly that put the
// table's number into a free register and jump to one piece of code, which
// enters Go as a cgo callback does, with cgo or without, and allocates nothing.
// There are entry points for [MaxTables] different files; the files after that
// share one table whose messages name no library. On Windows and on processors
// other than amd64 and arm64, entry points lead to callbacks of purego.
//
// A library that wants to call its host is handed two functions more
// ([Table.CallsAddr]; docs/abi.md, "Calling the host"), and a [Calls] answers
// them while it is in use ([Table.Serve]). [Enter] marks the goroutine that is
// about to call the library with the call's context, and the Calls is given
// that for what the library asks meanwhile on the same thread.
//
// alloc and free are the C library's own malloc and free and do not enter Go.
// A table that tracks memory replaces them by counting ones.
//
// All functions and methods are safe for concurrent use.
package hostvtable
