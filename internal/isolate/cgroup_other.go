//go:build !linux

package isolate

// cell would bound a worker's memory.
type cell struct{}

func newCell(*Config) *cell { return nil }

func (*cell) enter(int)    {}
func (*cell) cause() error { return nil }
func (*cell) remove()      {}
