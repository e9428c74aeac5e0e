// Package tlv encodes and decodes BID-1 TLV, the form in which arguments and
// results cross between a host and its plugins (section 2 of the
// specification; docs/tlv.md).
//
// It is for code that speaks to plugins directly, and for plugins written in
// Go. Programs that call plugins through package loader meet only [Value].
//
// A message is a header and a number of entries:
//
//	header  u16 version = 1 · u16 argc
//	entry   u8 tag · u8 reserved = 0 · u16 size · payload
//
// Everything is little-endian. The encoder appends to a slice of the caller's
// ([AppendHeader], [AppendInt64] …, [PatchArgc]) and refuses what cannot be
// represented; it never truncates. The decoder ([Decoder]) walks a buffer
// without allocating and rejects everything that the specification does not
// allow, with the byte offset. [Value] is one entry as a Go value.
//
// All functions are safe for concurrent use; a Decoder is for one goroutine.
package tlv
