package tlv

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

var le = binary.LittleEndian

// AppendHeader starts a message. Its argc is 0 until [PatchArgc] sets it.
func AppendHeader(dst []byte) []byte { return append(dst, Version, 0, 0, 0) }

// PatchArgc writes the number of entries into the header that msg begins with.
func PatchArgc(msg []byte, argc int) error {
	if argc < 0 || argc > MaxEntries {
		return fmt.Errorf("encode TLV: %w: %d, and a message holds %d", ErrTooMany, argc, MaxEntries)
	}
	le.PutUint16(msg[2:HeaderSize], uint16(argc))
	return nil
}

// Each of the following appends one entry to dst and returns the longer slice. The
// caller counts the entries for [PatchArgc].

// AppendBool appends a Bool.
func AppendBool(dst []byte, v bool) []byte {
	b := byte(0)
	if v {
		b = 1
	}
	return append(dst, byte(TagBool), 0, 1, 0, b)
}

// AppendInt32 appends an I32.
func AppendInt32(dst []byte, v int32) []byte { return append4(dst, TagInt32, uint32(v)) }

// AppendInt64 appends an I64.
func AppendInt64(dst []byte, v int64) []byte { return append8(dst, TagInt64, uint64(v)) }

// AppendFloat32 appends an F32. The bits of a NaN are kept.
func AppendFloat32(dst []byte, v float32) []byte {
	return append4(dst, TagFloat32, math.Float32bits(v))
}

// AppendFloat64 appends an F64. The bits of a NaN are kept.
func AppendFloat64(dst []byte, v float64) []byte {
	return append8(dst, TagFloat64, math.Float64bits(v))
}

// AppendHandle appends a Handle.
func AppendHandle(dst []byte, v Handle) []byte {
	return append8(dst, TagHandle, uint64(v.Type)|uint64(v.Instance)<<32)
}

// AppendVoid appends a Void.
func AppendVoid(dst []byte) []byte { return append(dst, byte(TagVoid), 0, 0, 0) }

// AppendBlob appends a Blob: memory of length bytes at address addr.
func AppendBlob(dst []byte, addr, length uint64) []byte {
	dst = append(dst, byte(TagBlob), 0, 16, 0)
	dst = le.AppendUint64(dst, addr)
	return le.AppendUint64(dst, length)
}

// AppendString appends a String. It refuses text that is not UTF-8 or longer
// than MaxPayload bytes; dst is then returned as it was.
func AppendString(dst []byte, v string) ([]byte, error) {
	if !utf8.ValidString(v) {
		return dst, notUTF8()
	}
	dst, err := appendSize(dst, TagString, len(v))
	if err != nil {
		return dst, err
	}
	return append(dst, v...), nil
}

// AppendBytes appends a Bytes. It refuses more than MaxPayload bytes; dst is
// then returned as it was.
func AppendBytes(dst, v []byte) ([]byte, error) {
	dst, err := appendSize(dst, TagBytes, len(v))
	if err != nil {
		return dst, err
	}
	return append(dst, v...), nil
}

// AppendValue appends any value.
func AppendValue(dst []byte, v Value) ([]byte, error) {
	switch v.Tag() {
	case TagBool:
		return AppendBool(dst, v.num != 0), nil
	case TagInt32, TagFloat32:
		return append4(dst, v.tag, uint32(v.num)), nil
	case TagInt64, TagFloat64, TagHandle:
		return append8(dst, v.tag, v.num), nil
	case TagString:
		return AppendString(dst, v.str)
	case TagBytes:
		dst, err := appendSize(dst, TagBytes, len(v.str))
		if err != nil {
			return dst, err
		}
		return append(dst, v.str...), nil
	case TagBlob:
		return AppendBlob(dst, v.num, v.blobLength()), nil
	}
	return AppendVoid(dst), nil
}

// Encode makes a message of values.
func Encode(values ...Value) ([]byte, error) {
	msg := AppendHeader(nil)
	if err := PatchArgc(msg, len(values)); err != nil {
		return nil, err
	}
	var err error
	for i, v := range values {
		if msg, err = AppendValue(msg, v); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return msg, nil
}

func append4(dst []byte, t Tag, v uint32) []byte {
	return le.AppendUint32(append(dst, byte(t), 0, 4, 0), v)
}

func append8(dst []byte, t Tag, v uint64) []byte {
	return le.AppendUint64(append(dst, byte(t), 0, 8, 0), v)
}

// appendSize appends the header of an entry of variable size.
func appendSize(dst []byte, t Tag, n int) ([]byte, error) {
	if n > MaxPayload {
		return dst, tooLarge(t, n)
	}
	return append(dst, byte(t), 0, byte(n), byte(n>>8)), nil
}

func tooLarge(t Tag, n int) error {
	return fmt.Errorf("encode TLV: %w: %v of %d bytes, and an entry holds %d", ErrTooLarge, t, n, MaxPayload)
}

func notUTF8() error { return fmt.Errorf("encode TLV: %w", ErrUTF8) }
