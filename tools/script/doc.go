// Package script runs Starlark programs in which every box of a host is a
// constructor and every method an attribute:
//
//	file = FileBox()
//	file.open("data.txt", "w")
//
// Starlark has no exceptions: an error of a plugin ends the program with the
// line that it happened on. catch(f, …) calls f and gives a value and an error
// instead, one of which is None. The error has box, method, message and code, the plugin's
// code, or 0 where the host failed.
//
// A box is finalised by box.fini(), when the program no longer refers to it, or
// when the host closes.
//
// Values convert in the obvious way: None, bool, int, float, string and bytes
// to and from void, bool, integer, float, string and bytes, boxes to and from
// handles. Integers must fit 64 bits.
package script
