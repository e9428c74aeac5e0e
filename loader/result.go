package loader

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Result is what [Box.Call] returned, whatever that is: void, a bool, an integer, a float, text, bytes, a
// [Box] or a [Blob]. Each accessor returns an error where the result is something
// else; [Result.Tag] tells before what it is. Values are copies and may be kept.
// The zero Result is void.
//
// A Result is immutable and safe for concurrent use.
type Result struct {
	value tlv.Value
	box   *Box
	blob  *Blob
}

// Tag is the type of the result on the wire (docs/tlv.md): [tlv.TagHandle] of a
// box, [tlv.TagBlob] of a blob.
func (r Result) Tag() tlv.Tag { return r.value.Tag() }

// IsVoid reports whether the method returned nothing.
func (r Result) IsVoid() bool { return r.value.IsVoid() }

// Bool returns a bool.
func (r Result) Bool() (bool, error) { return r.value.Bool() }

// Int returns an integer of either width.
func (r Result) Int() (int64, error) { return r.value.Int() }

// Float returns a float of either width.
func (r Result) Float() (float64, error) { return r.value.Float() }

// Text returns a string. It is the plugin's: make it printable before it reaches a
// terminal.
func (r Result) Text() (string, error) { return r.value.Text() }

// Bytes returns bytes, a copy that is the caller's. [Method.AppendBytes] makes one
// copy less, and takes a string or a blob as well.
func (r Result) Bytes() ([]byte, error) { return r.value.Bytes() }

// Box returns the box that a call returned. Where the program holds a Box of this
// instance already, it is that one. A new one is the caller's to close.
func (r Result) Box() (*Box, error) {
	if r.box == nil {
		return nil, fmt.Errorf("the result is %v, not a box", r.Tag())
	}
	return r.box, nil
}

// Blob returns the blob that a call returned, which is the caller's to release.
func (r Result) Blob() (*Blob, error) {
	if r.blob == nil {
		return nil, fmt.Errorf("the result is %v, not a blob", r.Tag())
	}
	return r.blob, nil
}

// Any returns the result as the Go value of its type: nil, bool, int32, int64,
// float32, float64, string, []byte, *[Box] or *[Blob].
func (r Result) Any() any {
	switch {
	case r.box != nil:
		return r.box
	case r.blob != nil:
		return r.blob
	}
	return r.value.Any()
}

// String formats the result for people.
func (r Result) String() string {
	switch {
	case r.box != nil:
		return r.box.String()
	case r.blob != nil:
		return r.blob.String()
	}
	return r.value.String()
}
