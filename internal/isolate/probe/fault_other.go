//go:build !linux || !amd64

package probe

import "errors"

// Faults tells whether functions of the system can be made to fail on this system.
const Faults = false

// faults are not known on this system.
type faults struct{}

func newFaults(string) (*faults, error) { return nil, errors.ErrUnsupported }
func (*faults) seen() (f Faulted)       { return f }
func (*faults) arm(uint64, FaultMode)   {}
