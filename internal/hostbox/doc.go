// Package hostbox runs boxes that are written in Go, in the host's process: Go values
// with their exported methods ([New]) and boxes of package registry/builtin
// ([OfBuiltin]). Both kinds of box have the same life: birth makes an instance and gives
// it a number, fini ends it, and a call in between finds it by that number.
//
// A call takes the TLV message with its arguments and appends the message with its answer
// to a buffer. Between the two, a Go method with a common signature (typed.go) is called as a Go
// function of its own type: arguments are read where they lie, and nothing is allocated
// but what strings and []byte need for their copies. All other methods are called
// through package reflect (reflected.go).
//
// unsafe serves one purpose: a func value whose first parameter is a pointer receiver is
// called as one that takes an unsafe.Pointer, and one whose other types are defined types,
// such as time.Duration, as one with their underlying types. Go passes both alike.
//
// A [Box] is safe for concurrent use. Its methods are called by many goroutines at once.
package hostbox
