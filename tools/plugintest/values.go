package plugintest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Boundaries of the types, at which arithmetic, sizes and conversions go wrong.
var (
	boundaryInts = []int64{
		0, 1, -1, 2, 3, 7, 8, 10, 100, 127, 128, -128, -129, 255, 256, 257, 32767, 32768, -32768, 65535, 65536, 65537,
		1 << 20, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxUint32, math.MaxUint32 + 1,
		1<<53 + 1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1,
	}
	boundaryFloats = []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1.5, 1e10, -1e10, 1e308, math.MaxFloat64, math.MaxFloat32, math.SmallestNonzeroFloat64,
		math.Inf(1), math.Inf(-1), math.NaN(), 1 << 31, 1 << 53, 1 << 63,
	}
	// boundarySizes are of strings and bytes: around what small types, buffers and pages hold.
	boundarySizes = []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 254, 255, 256, 257, 511, 512, 1000, 1023, 1024, 4095, 4096, 4097, 32767, 32768, 65520, tlv.MaxPayload - 8, tlv.MaxPayload - 1, tlv.MaxPayload}
	blobSizes     = []int{0, 1, 63, 64, 65, 1000, 4096, 65535, 65536, 1 << 20}
	oddTexts      = []string{
		"\x00", "a\x00b", "\x00a", "é", "aé", "日本語", "𝄞x", "e\u0301", "\u202eabc", "שלום", "\ufeffa", "\x7f", "\x1b[31m", "%s%n%d", "a/b", "../a", ".", "/", "a=b", "a,b", "\"", "'", "\\", "\n", "a\r\nb", " ", " a ", "-1", "0", "1", "1.5", "true", "null", "NaN", "[]", "{}",
	}
)

// smallTexts and smallInts are so few that calls meet the same ones again: keys, say.
var (
	smallTexts = []string{"a", "b", "k1", "key", "abc", ""}
	smallInts  = []int64{0, 1, 2, 3, 5}
)

// formTexts are small texts of forms that methods read: numbers, lines, tables, settings, objects.
var formTexts = []string{"1", "2.5", "1\n2\n", "a,b\n1,2\n", "x\ny", "3,1", "a\tb\t1\n", "a=1\nb=2\n", `{"a":1}`, "[1,2]", `"a`, "one two"}

// valueMaker makes arguments.
type valueMaker struct {
	random *rand.Rand
	words  []string // that the library's file contains
	seen   []tlv.Value
	caps   map[*method]float64 // numbers from which on a method takes long; see slowFrom
}

// of is a value of a type. mild ones are small and ordinary.
func (v *valueMaker) of(tag tlv.Tag, mild bool) tlv.Value {
	r := v.random
	if len(v.seen) > 0 && r.IntN(8) == 0 {
		if old := v.seen[r.IntN(len(v.seen))]; old.Tag() == tag {
			return old
		}
	}
	switch tag {
	case tlv.TagBool:
		return tlv.Bool(r.IntN(2) == 0)
	case tlv.TagInt32:
		return tlv.Int32(int32(v.integer(mild, math.MaxInt32)))
	case tlv.TagInt64:
		return tlv.Int64(v.integer(mild, math.MaxInt64))
	case tlv.TagFloat32:
		return tlv.Float32(float32(v.float(mild)))
	case tlv.TagFloat64:
		return tlv.Float64(v.float(mild))
	case tlv.TagString:
		return tlv.String(v.text(mild))
	case tlv.TagBytes:
		return tlv.Bytes([]byte(v.bytes(mild)))
	}
	return tlv.Void()
}

func (v *valueMaker) integer(mild bool, most int64) int64 {
	r := v.random
	switch n := r.IntN(10); {
	case mild || n < 5:
		if r.IntN(8) == 0 {
			return -1 - int64(r.IntN(3)) // back, or from the end
		}
		return smallInts[r.IntN(len(smallInts))]
	case n < 8:
		for {
			if b := boundaryInts[r.IntN(len(boundaryInts))]; b <= most && b >= -most-1 {
				return b
			}
		}
	}
	n := int64(r.Uint64()) >> r.IntN(64)
	if most == math.MaxInt32 {
		return int64(int32(n))
	}
	return n
}

func (v *valueMaker) float(mild bool) float64 {
	r := v.random
	switch n := r.IntN(10); {
	case mild || n < 5:
		return float64(r.IntN(5)) + 0.5
	case n < 8:
		return boundaryFloats[r.IntN(len(boundaryFloats))]
	}
	return (r.Float64() - 0.5) * math.Pow(10, float64(r.IntN(20)))
}

func (v *valueMaker) text(mild bool) string {
	r := v.random
	switch n := r.IntN(20); {
	case (mild || n < 10) && r.IntN(5) == 0:
		return formTexts[r.IntN(len(formTexts))]
	case mild || n < 10:
		return smallTexts[r.IntN(len(smallTexts))]
	case n < 13:
		return oddTexts[r.IntN(len(oddTexts))]
	case n < 14 && len(v.words) > 0:
		return v.words[r.IntN(len(v.words))]
	case n < 18:
		return pattern(boundarySizes[r.IntN(len(boundarySizes))], r.IntN(26))
	}
	size := r.IntN(1 << r.IntN(12))
	var out strings.Builder
	for out.Len() < size {
		out.WriteRune([]rune("aé日𝄞")[r.IntN(4)])
	}
	return out.String()
}

// again is a blob like one that was answered, whole or damaged; ok is false where there was none.
func (v *valueMaker) again() (data string, ok bool) {
	r := v.random
	blobs := slices.DeleteFunc(slices.Clone(v.seen), func(have tlv.Value) bool { return have.Tag() != tlv.TagBytes || have.Len() == 0 })
	if len(blobs) == 0 {
		return "", false
	}
	out := []byte(blobs[r.IntN(len(blobs))].Data())
	switch r.IntN(4) {
	case 0:
		out = out[:r.IntN(len(out))]
	case 1:
		at := r.IntN(len(out))
		for i := at; i < min(at+1<<r.IntN(3), len(out)); i++ {
			out[i] = []byte{0, 1, 0x7f, 0x80, 0xff}[r.IntN(5)]
		}
	}
	return string(out), true
}

func (v *valueMaker) bytes(mild bool) string {
	r := v.random
	switch n := r.IntN(20); {
	case mild || n < 8:
		return smallTexts[r.IntN(len(smallTexts))]
	case n < 10:
		return string([]byte{0, 255, 128, 0})
	case n < 16:
		return pattern(boundarySizes[r.IntN(len(boundarySizes))], r.IntN(26))
	}
	data := make([]byte, r.IntN(1<<r.IntN(12)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return string(data)
}

// blob is the content of a blob.
func (v *valueMaker) blob(mild bool) string {
	if mild {
		return smallTexts[v.random.IntN(len(smallTexts))]
	}
	return pattern(blobSizes[v.random.IntN(len(blobSizes))], v.random.IntN(26))
}

// pattern is text of a size in bytes in which each place differs from those near it, so that
// what is cut, moved or mixed up shows.
func pattern(size, from int) string {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte('a' + (from+i+i/26)%26)
	}
	return string(out)
}
