package abi

import "unsafe"

// Call is one call of nyash_plugin_invoke: its seven arguments and what comes
// back. It mirrors NyashCall of nyash_plugin.h, of which a batch is an array.
//
// The plugin holds the addresses while the call is made, and the stack of a
// goroutine can move: until the call returns, Call and what it points at must be
// on the heap. Its pointers keep that memory alive. A Call is for one goroutine at
// a time.
type Call struct {
	TypeID   uint32
	Method   uint32
	Instance uint32
	// Code is what the plugin returned.
	Code Code
	// Args is the TLV message with the arguments; see [Call.SetArgs].
	Args       unsafe.Pointer // const uint8_t*
	ArgsLength uintptr        // bytes
	// Result is the buffer that the plugin writes to; see [Call.SetResultBuffer].
	Result unsafe.Pointer // uint8_t*
	// ResultLength is the buffer's length in bytes before the call, and *result_len
	// as the plugin left it, unchecked, after it.
	ResultLength uintptr
}

// SetArgs lends msg to the plugin for the call. The plugin must not write to it.
func (c *Call) SetArgs(msg []byte) {
	c.Args, c.ArgsLength = unsafe.Pointer(unsafe.SliceData(msg)), uintptr(len(msg))
}

// Message is what SetArgs lent.
func (c *Call) Message() []byte { return unsafe.Slice((*byte)(c.Args), c.ArgsLength) }

// SetResultBuffer lends buf to the plugin for the call, to write its result to.
func (c *Call) SetResultBuffer(buf []byte) {
	c.Result, c.ResultLength = unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf))
}

// ResultBuffer is what SetResultBuffer lent. It is asked before the call: the
// plugin changes ResultLength.
func (c *Call) ResultBuffer() []byte { return unsafe.Slice((*byte)(c.Result), c.ResultLength) }
