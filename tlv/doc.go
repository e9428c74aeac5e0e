// Package tlv encodes and decodes BID-1 TLV, the form in which arguments and
// results cross between a host and its plugins (section 2 of the
// specification; docs/tlv.md).
//
// It is for code that speaks to plugins directly, for plugins written in Go, and
// for boxes written in Go (package registry/builtin). Programs that call plugins
// through package loader meet only [Value] and [Handle].
//
// A message is a header and a number of entries:
//
//	header  u16 version = 1 · u16 argc
//	entry   u8 tag · u8 reserved = 0 · u16 size · payload
//
// Numbers are little-endian, sizes are bytes. There are two ways to write a
// message and two to read one. [Encode] and [Decode] take and make [Value]s, each a
// copy of one entry. [AppendHeader], [AppendInt64] and the like and [PatchArgc]
// append to a slice of the caller's, and [Decoder] walks a message in place; both
// allocate nothing but what the slice needs to grow. [DecodeOne] and [DecodeEntry]
// read the message of a single value, as every result is.
//
// The encoder refuses what cannot be represented and never truncates. The decoder
// rejects what the specification does not allow, with a [*DecodeError] that tells
// the byte.
//
// All functions are safe for concurrent use; a Decoder is for one goroutine.
package tlv
