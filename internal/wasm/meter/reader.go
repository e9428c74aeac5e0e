package meter

import (
	"fmt"
	"math"
)

// reader reads a module's bytes between pos and end. The first fault is kept in err; every read after it answers zero
// and moves nothing, so that callers look at err where they must not go on.
type reader struct {
	data     []byte
	pos, end int
	function int
	err      *Error
}

func (r *reader) fail(kind error, at int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Kind: kind, Offset: at, Function: r.function, Reason: fmt.Sprintf(format, args...)}
		r.pos = r.end
	}
}

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.pos >= r.end {
		r.fail(ErrMalformed, r.pos, "unexpected end")
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

func (r *reader) skip(n uint32) {
	if r.err != nil {
		return
	}
	if uint64(n) > uint64(r.end-r.pos) {
		r.fail(ErrMalformed, r.pos, "unexpected end: %d bytes wanted, %d left", n, r.end-r.pos)
		return
	}
	r.pos += int(n)
}

// u32 reads an unsigned LEB128 number of at most 32 bits in at most five bytes.
func (r *reader) u32() uint32 {
	if r.pos < r.end && r.data[r.pos] < 0x80 { // also false after a fault, where pos is end
		r.pos++
		return uint32(r.data[r.pos-1])
	}
	start := r.pos
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.fail(ErrMalformed, start, "number of more than 32 bits")
	return 0
}

// signed reads a signed LEB128 number of the given number of bits: 32, 33 or 64.
func (r *reader) signed(bits int) int64 {
	start := r.pos
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if left := bits - shift; left < 7 {
			// The bits beyond the number must repeat its sign.
			sign := int8(b<<1) >> left // bit left-1 of b and what is above it
			if sign != 0 && sign != -1 || b >= 0x80 {
				break
			}
		}
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= math.MinInt64 >> (63 - shift - 7)
			}
			return v
		}
	}
	r.fail(ErrMalformed, start, "number of more than %d bits", bits)
	return 0
}

// count reads the length of a vector whose elements have at least size bytes each.
func (r *reader) count(what string, size int) int {
	start := r.pos
	n := r.u32()
	if uint64(n)*uint64(size) > uint64(r.end-r.pos) {
		r.fail(ErrMalformed, start, "%d %s in %d bytes", n, what, r.end-r.pos)
		return 0
	}
	return int(n)
}

// index reads an index below n.
func (r *reader) index(what string, n int) uint32 {
	start := r.pos
	v := r.u32()
	if r.err == nil && uint64(v) >= uint64(n) {
		r.fail(ErrMalformed, start, "%s %d of %d", what, v, n)
		return 0
	}
	return v
}

func (r *reader) bytes(n uint32) []byte {
	start := r.pos
	r.skip(n)
	if r.err != nil {
		return nil
	}
	return r.data[start:r.pos:r.pos]
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS32(b []byte, v int32) []byte {
	for v < -0x40 || v >= 0x40 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}
