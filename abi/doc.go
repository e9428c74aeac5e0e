// Package abi is the ground floor that hosts and plugins share: the names of
// the exported symbols, the result codes, the reserved method ids, the log
// levels and the layout of the C structures that cross the boundary.
//
// It is for code that loads plugins. Callers of plugins meet only [Code] and
// its constants, which every failed call can be compared with:
//
//	if errors.Is(err, abi.ErrInvalidHandle) { … }
//
// The package depends on nothing and holds no state; everything in it is safe
// for concurrent use. The structures mirror abi/include/nyash_plugin.h, which
// is the one file that a plugin written in C or C++ includes. Both follow
// section 1 of the specification (docs/abi.md).
package abi
