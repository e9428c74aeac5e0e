package plan

import (
	"encoding/binary"
	"math"

	"github.com/nyash-plugins/nyash-go/tlv"
)

var le = binary.LittleEndian

const (
	entrySize = tlv.EntryHeaderSize + 8 // of an entry with a payload of eight bytes
	headers   = tlv.HeaderSize + tlv.EntryHeaderSize
)

// Headers of entries, as little-endian numbers.
const (
	headerBool    = 1<<16 | uint32(tlv.TagBool)
	headerInt32   = 4<<16 | uint32(tlv.TagInt32)
	headerInt64   = 8<<16 | uint32(tlv.TagInt64)
	headerFloat64 = 8<<16 | uint32(tlv.TagFloat64)
)

// EncodeFixed writes the whole message of a call whose arguments are declared as
// i64 or f64 and given as int, int64 or float64, or of one whose only argument is declared
// as bytes and given as []byte, and returns its length in bytes.
// It returns 0 for every other call and where dst is too short; then the message
// is made by [Plan.AppendArg].
func (p *Plan) EncodeFixed(dst []byte, args []any) (n int) {
	if len(args) != p.fixed || len(dst) < tlv.HeaderSize+len(args)*entrySize {
		return p.encodeData(dst, args)
	}
	if p.twoInts && len(dst) >= twoIntsSize && encodeTwoInts((*[twoIntsSize]byte)(dst), args) {
		return twoIntsSize
	}
	le.PutUint32(dst, uint32(len(args))<<16|tlv.Version)
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

// encodeData is [Plan.EncodeFixed] for bytes: 5 ns, where the general way takes 30
// (BenchmarkEncodeFixed).
func (p *Plan) encodeData(dst []byte, args []any) (n int) {
	if !p.data || len(args) != 1 {
		return 0
	}
	data, ok := args[0].([]byte)
	if !ok || len(data) > tlv.MaxPayload || len(dst) < headers+len(data) {
		return 0
	}
	le.PutUint64(dst, uint64(len(data))<<48|uint64(tlv.TagBytes)<<32|oneEntry)
	return headers + copy(dst[headers:], data)
}

// Data is the result of a method that is declared as bytes and whose result is that. ok is
// false for all others, which are for [Plan.Entry] to judge.
func (p *Plan) Data(msg []byte) (data []byte, ok bool) {
	if p.Returns.Tag != tlv.TagBytes || len(msg) < headers || len(msg) > headers+tlv.MaxPayload {
		return nil, false
	}
	data = msg[headers:]
	return data, le.Uint64(msg) == uint64(len(data))<<48|uint64(tlv.TagBytes)<<32|oneEntry
}

const twoIntsSize = tlv.HeaderSize + 2*entrySize

// encodeTwoInts is the loop of [Plan.EncodeFixed] unrolled for two ints. A method of two
// integers gains 2 of the 36 ns of a leaf call (BenchmarkLeaf of package loader) and 2 to 4 of
// the 16 to 20 ns of a call in a batch (BenchmarkBatchOf64); a loop for ints alone gains
// neither.
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

// oneEntry is the header of a message with one entry. It and the entry's header
// are how the message of a single value begins.
const oneEntry = 1<<16 | tlv.Version

// DecodeFixed returns the bits of a result that is declared as i64 or f64 and is one. ok is
// false for every other message, which is for [Plan.Result] to judge.
//
// It is inlined into the call: 1.6 ns, where decodeScalar takes 4.4 ns
// (BenchmarkResult) of the 16 ns of a call in a batch.
func (p *Plan) DecodeFixed(msg []byte) (bits uint64, ok bool) {
	if len(msg) != headers+8 || le.Uint64(msg) != p.resultHeader {
		return 0, false
	}
	return le.Uint64(msg[headers:]), true
}

// decodeScalar decodes the message of a single Bool, I32, I64 or F64. ok is false
// for all others. It takes 4.4 ns, and tlv.DecodeEntry with the copying of the
// entry 33 ns (BenchmarkResult).
func decodeScalar(msg []byte) (v tlv.Value, ok bool) {
	if len(msg) < headers+1 {
		return tlv.Value{}, false
	}
	switch header, payload := le.Uint64(msg), msg[headers:]; {
	case header == uint64(headerInt64)<<32|oneEntry && len(payload) == 8:
		return tlv.Int64(int64(le.Uint64(payload))), true
	case header == uint64(headerFloat64)<<32|oneEntry && len(payload) == 8:
		return tlv.Float64(math.Float64frombits(le.Uint64(payload))), true
	case header == uint64(headerInt32)<<32|oneEntry && len(payload) == 4:
		return tlv.Int32(int32(le.Uint32(payload))), true
	case header == uint64(headerBool)<<32|oneEntry && len(payload) == 1:
		return tlv.Bool(payload[0] != 0), true
	}
	return tlv.Value{}, false
}
