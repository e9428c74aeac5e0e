package loader

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Result is what a call returned: a value with checked accessors, or a box. It
// holds copies and may be kept.
type Result struct {
	tlv.Value
	box *Box
}

// Box returns the box that a call returned. It is the one that the program
// holds already if it does; otherwise it is new and to be closed.
func (r Result) Box() (*Box, error) {
	if r.box == nil {
		return nil, fmt.Errorf("the result is %v, not a box", r.Tag())
	}
	return r.box, nil
}

// String formats the result for people.
func (r Result) String() string {
	if r.box != nil {
		return r.box.String()
	}
	return r.Value.String()
}
