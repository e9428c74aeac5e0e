// Package hostvtable makes the permanent table of functions that plugins call
// their host through: alloc, free, wake and log (docs/abi.md, section 1, "The
// host table").
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
// None of the four C functions is told which plugin is calling. Each table
// therefore has entry points of its own: a few bytes of assembly that put the
// table's number into an unused argument register and jump to one shared
// callback into Go. The process spends a single purego callback, whatever the
// number of libraries. There are entry points for [MaxTables] different files;
// the files after that share one table whose messages name no library.
//
// alloc and free are the C library's own malloc and free and do not enter Go.
// A table that tracks memory replaces them by counting ones.
//
// All functions and methods are safe for concurrent use.
package hostvtable
