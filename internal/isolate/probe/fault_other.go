//go:build !linux || !amd64

package probe

import "errors"

// faults are not known on this system.
type faults struct{}

func newFaults(string) (*faults, error) { return nil, errors.ErrUnsupported }
func (*faults) seen() (f Faulted)       { return f }
func (*faults) arm(uint64, FaultMode)   {}
