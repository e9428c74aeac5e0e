package loader

import (
	"fmt"
	"math"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Result is what [Box.Call] returned, whatever that is: void, a bool, an integer, a float, text, bytes, a
// [Box] or a [Blob]. Each accessor returns an error where the result is something
// else; [Result.Tag] tells before what it is. Values are copies and may be kept.
// The zero Result is void.
//
// A Result is immutable and safe for concurrent use.
type Result struct {
	num  uint64      // the bits of a number
	text string      // the bytes of strings and bytes
	kind *resultKind // nil for void
	// Four words: the compiler keeps no more of them in registers. A Result that it copies
	// in memory costs some 5 ns each time, of the 40 ns of a call.
}

// resultKind is what a result is, shared by all results that are that.
type resultKind struct {
	tag  tlv.Tag
	box  *Box  // or nil
	blob *Blob // or nil
}

// kinds are those of results that are neither a box nor a blob, by their tags.
var kinds = func() (all [256]resultKind) {
	for tag := range all {
		all[tag].tag = tlv.Tag(tag)
	}
	return all
}()

// resultOf makes a result of a value.
func resultOf(v tlv.Value) Result {
	if v.IsVoid() {
		return Result{}
	}
	return Result{num: v.Bits(), text: v.Data(), kind: &kinds[v.Tag()]}
}

// value is the result as a value; a box's and a blob's is void.
func (r Result) value() tlv.Value {
	switch r.Tag() {
	case tlv.TagBool:
		return tlv.Bool(r.num != 0)
	case tlv.TagInt32:
		return tlv.Int32(int32(r.num))
	case tlv.TagInt64:
		return tlv.Int64(int64(r.num))
	case tlv.TagFloat32:
		return tlv.Float32(math.Float32frombits(uint32(r.num)))
	case tlv.TagFloat64:
		return tlv.Float64(math.Float64frombits(r.num))
	case tlv.TagString:
		return tlv.String(r.text)
	case tlv.TagBytes:
		return tlv.Bytes([]byte(r.text))
	}
	return tlv.Void()
}

// not is the error of an accessor that the result is not for.
func (r Result) not(want string) error { return &tlv.TypeError{Have: r.Tag(), Want: want} }

// Tag is the type of the result on the wire (docs/tlv.md): [tlv.TagHandle] of a
// box, [tlv.TagBlob] of a blob.
func (r Result) Tag() tlv.Tag {
	if r.kind == nil {
		return tlv.TagVoid
	}
	return r.kind.tag
}

// IsVoid reports whether the method returned nothing.
func (r Result) IsVoid() bool { return r.kind == nil }

// Bool returns a bool.
func (r Result) Bool() (bool, error) {
	if r.Tag() != tlv.TagBool {
		return false, r.not("a bool")
	}
	return r.num != 0, nil
}

// Int returns an integer of either width.
func (r Result) Int() (int64, error) {
	switch r.Tag() {
	case tlv.TagInt64:
		return int64(r.num), nil
	case tlv.TagInt32:
		return int64(int32(r.num)), nil
	}
	return 0, r.not("an integer")
}

// Float returns a float of either width.
func (r Result) Float() (float64, error) {
	switch r.Tag() {
	case tlv.TagFloat64:
		return math.Float64frombits(r.num), nil
	case tlv.TagFloat32:
		return r.value().Float()
	}
	return 0, r.not("a float")
}

// Text returns a string. It is the plugin's: make it printable before it reaches a
// terminal.
func (r Result) Text() (string, error) {
	if r.Tag() != tlv.TagString {
		return "", r.not("a string")
	}
	return r.text, nil
}

// Bytes returns bytes, a copy that is the caller's. [Method.AppendBytes] makes one
// copy less, and takes a string or a blob as well.
func (r Result) Bytes() ([]byte, error) {
	if r.Tag() != tlv.TagBytes {
		return nil, r.not("bytes")
	}
	return []byte(r.text), nil
}

// Box returns the box that a call returned. Where the program holds a Box of this
// instance already, it is that one. A new one is the caller's to close.
func (r Result) Box() (*Box, error) {
	if r.kind == nil || r.kind.box == nil {
		return nil, fmt.Errorf("the result is %v, not a box", r.Tag())
	}
	return r.kind.box, nil
}

// Blob returns the blob that a call returned, which is the caller's to release.
func (r Result) Blob() (*Blob, error) {
	if r.kind == nil || r.kind.blob == nil {
		return nil, fmt.Errorf("the result is %v, not a blob", r.Tag())
	}
	return r.kind.blob, nil
}

// Any returns the result as the Go value of its type: nil, bool, int32, int64,
// float32, float64, string, []byte, *[Box] or *[Blob].
func (r Result) Any() any {
	switch {
	case r.kind == nil:
		return nil
	case r.kind.box != nil:
		return r.kind.box
	case r.kind.blob != nil:
		return r.kind.blob
	}
	return r.value().Any()
}

// String formats the result for people.
func (r Result) String() string {
	switch {
	case r.kind == nil:
	case r.kind.box != nil:
		return r.kind.box.String()
	case r.kind.blob != nil:
		return r.kind.blob.String()
	}
	return r.value().String()
}
