package loader

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Result is what a call returned: a value with checked accessors, a box or a
// blob. It holds copies, except of a blob, and may be kept.
type Result struct {
	tlv.Value
	box  *Box
	blob *Blob
}

// Box returns the box that a call returned. It is the one that the program
// holds already if it does; otherwise it is new and to be closed.
func (r Result) Box() (*Box, error) {
	if r.box == nil {
		return nil, fmt.Errorf("the result is %v, not a box", r.Tag())
	}
	return r.box, nil
}

// Blob returns the blob that a call returned, which is to be released.
func (r Result) Blob() (*Blob, error) {
	if r.blob == nil {
		return nil, fmt.Errorf("the result is %v, not a blob", r.Tag())
	}
	return r.blob, nil
}

// String formats the result for people.
func (r Result) String() string {
	switch {
	case r.box != nil:
		return r.box.String()
	case r.blob != nil:
		return r.blob.String()
	}
	return r.Value.String()
}
