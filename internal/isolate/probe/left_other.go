//go:build !linux || !(amd64 || arm64)

package probe

import "errors"

// Nothing is compared on this system.
type (
	system       struct{}
	threadState  struct{}
	processState struct{}
)

func newSystem() (*system, error) { return nil, errors.ErrUnsupported }

func (*system) thread() threadState                { return threadState{} }
func (*system) process() (*processState, error)    { return nil, errors.ErrUnsupported }
func (threadState) changes(threadState) []Change   { return nil }
func (threadState) with(t threadState) threadState { return t }
func (threadState) restore()                       {}

func (*processState) changes(*processState) []Change { return nil }

func thisThread() int { return 0 }
