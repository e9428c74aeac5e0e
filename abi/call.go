package abi

import "unsafe"

// Call is one call of nyash_plugin_invoke: its seven arguments and what comes
// back. It mirrors NyashCall, of which a batch is an array.
//
// While the call is made it must be on the heap, and so must what it points at:
// the plugin holds the addresses, and a goroutine's stack can move. Its pointers
// keep that memory alive.
type Call struct {
	TypeID   uint32
	Method   uint32
	Instance uint32
	// Code is what the plugin returned.
	Code Code
	// Args is the TLV message with the arguments; see [Call.SetArgs].
	Args       unsafe.Pointer // const uint8_t*
	ArgsLength uintptr
	// Result is where the plugin writes; see [Call.SetRoom].
	Result unsafe.Pointer // uint8_t*
	// ResultLength is the room that there is, in bytes, and after the call
	// *result_len as the plugin left it, unchecked.
	ResultLength uintptr
}

// SetArgs lends msg to the plugin.
func (c *Call) SetArgs(msg []byte) {
	c.Args, c.ArgsLength = unsafe.Pointer(unsafe.SliceData(msg)), uintptr(len(msg))
}

// Message is what SetArgs lent.
func (c *Call) Message() []byte { return unsafe.Slice((*byte)(c.Args), c.ArgsLength) }

// SetRoom gives the plugin room to write its result to.
func (c *Call) SetRoom(room []byte) {
	c.Result, c.ResultLength = unsafe.Pointer(unsafe.SliceData(room)), uintptr(len(room))
}

// Room is what SetRoom gave, before the call.
func (c *Call) Room() []byte { return unsafe.Slice((*byte)(c.Result), c.ResultLength) }
