package plan

import (
	"encoding/binary"
	"math"

	"github.com/nyash-plugins/nyash-go/tlv"
)

var le = binary.LittleEndian

// entrySize is an entry with a payload of eight bytes.
const entrySize = tlv.EntryHeaderSize + 8

// Headers of such entries, as little-endian numbers.
const (
	headerInt64   = 8<<16 | uint32(tlv.TagInt64)
	headerFloat64 = 8<<16 | uint32(tlv.TagFloat64)
)

func entryHeader64(tag tlv.Tag) uint32 { return 8<<16 | uint32(tag) }

// messageHeader is the header of a message with argc entries, as a little-endian
// number.
func messageHeader(argc int) uint64 { return uint64(argc)<<16 | tlv.Version }

// EncodeFixed writes the whole message of a call whose arguments are declared as
// i64 or f64 and given as int, int64 or float64, and returns its length in bytes.
// It returns 0 for every other call and where dst is too short; then the message
// is made by [Plan.AppendArg].
func (p *Plan) EncodeFixed(dst []byte, args []any) (n int) {
	if len(args) != p.fixed || len(dst) < tlv.HeaderSize+len(args)*entrySize {
		return 0
	}
	if p.twoInts && len(dst) >= twoIntsSize && encodeTwoInts((*[twoIntsSize]byte)(dst), args) {
		return twoIntsSize
	}
	le.PutUint32(dst, uint32(messageHeader(len(args))))
	at := tlv.HeaderSize
	for i, header := range p.entryHeaders {
		var bits uint64
		// An if for each type compares a pointer; a switch would hash the type.
		if v, ok := args[i].(int); ok && header == headerInt64 {
			bits = uint64(v)
		} else if v, ok := args[i].(int64); ok && header == headerInt64 {
			bits = uint64(v)
		} else if v, ok := args[i].(float64); ok && header == headerFloat64 {
			bits = math.Float64bits(v)
		} else {
			return 0
		}
		e := dst[at : at+entrySize]
		le.PutUint32(e, header)
		le.PutUint64(e[tlv.EntryHeaderSize:], bits)
		at += entrySize
	}
	return at
}

const twoIntsSize = tlv.HeaderSize + 2*entrySize

func encodeTwoInts(dst *[twoIntsSize]byte, args []any) bool {
	if len(args) != 2 {
		return false
	}
	a, isInt := args[0].(int)
	b, areInts := args[1].(int)
	if !isInt || !areInts {
		return false
	}
	le.PutUint64(dst[0:], 2<<16|tlv.Version|uint64(headerInt64)<<32)
	le.PutUint64(dst[8:], uint64(a))
	le.PutUint32(dst[16:], headerInt64)
	le.PutUint64(dst[20:], uint64(b))
	return true
}

// DecodeFixed decodes a result that is declared as i64 or f64 and is one. ok is
// false for every other message, which is for [Plan.Result] to judge.
func (p *Plan) DecodeFixed(msg []byte) (v tlv.Value, ok bool) {
	if len(msg) != tlv.HeaderSize+entrySize || le.Uint64(msg) != p.resultHeader {
		return tlv.Value{}, false
	}
	bits := le.Uint64(msg[8:])
	if p.Returns.Tag == tlv.TagFloat64 {
		return tlv.Float64(math.Float64frombits(bits)), true
	}
	return tlv.Int64(int64(bits)), true
}
