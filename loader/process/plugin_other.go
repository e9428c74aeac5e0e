//go:build !linux

package process

import (
	"context"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// Plugin is a library with its worker. There are none on this system.
type Plugin struct{}

// Session is one life of a worker.
type Session struct{}

// Open returns [ErrUnsupported].
func Open(context.Context, Config) (*Plugin, error) {
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, runtime.GOOS)
}

// Session returns [ErrUnsupported].
func (*Plugin) Session(context.Context) (*Session, error) { return nil, ErrUnsupported }

// Reset does nothing.
func (*Plugin) Reset() {}

// Status tells nothing.
func (*Plugin) Status() Status { return Status{} }

// Memory tells nothing.
func (*Plugin) Memory() (hostvtable.Memory, bool) { return hostvtable.Memory{}, false }

// Close does nothing.
func (*Plugin) Close() error { return nil }

// Description is empty.
func (*Session) Description() abi.Description { return abi.Description{} }

// Lost reports true.
func (*Session) Lost() bool { return true }

// Invoke returns [ErrUnsupported].
func (*Session) Invoke(context.Context, *abi.Call) error { return ErrUnsupported }

// InvokeBatch makes none.
func (*Session) InvokeBatch(context.Context, []abi.Call) (int, error) { return 0, nil }

// Lend returns [ErrUnsupported].
func (*Session) Lend([]byte) (uint64, error) { return 0, ErrUnsupported }

// TakeBack does nothing.
func (*Session) TakeBack(uint64, int) {}

// Adopt returns [ErrUnsupported].
func (*Session) Adopt(uint64, uint64) ([]byte, func(), error) { return nil, nil, ErrUnsupported }

// Memory tells nothing.
func (*Session) Memory() (hostvtable.Memory, bool) { return hostvtable.Memory{}, false }
