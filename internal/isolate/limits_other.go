//go:build !linux

package isolate

// watchLimits has nothing to do: here the worker keeps its limits itself, or
// refuses them.
func (s *Session) watchLimits() {}
