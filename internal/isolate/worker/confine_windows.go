package worker

import (
	"errors"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// tidy has nothing to do: a worker inherits what it is given by name.
func tidy(uintptr, uintptr) error { return nil }

// confine refuses limits that nobody would keep.
func confine(load *wire.Load) error {
	if load.Limits != (wire.Limits{}) {
		return errors.New("limits are not supported on windows: leave them out there")
	}
	return nil
}

// dieOfSignals has nothing to do: there are none.
func dieOfSignals() error { return nil }
