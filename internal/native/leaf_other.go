//go:build nyash_portable || nyash_noleaf || !(amd64 || arm64) || !(darwin || freebsd || linux)

package native

import (
	"context"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// LeafStack is a C stack that leaf methods are called on. There are none on this system, or
// with the build tags nyash_portable and nyash_noleaf: leaf methods are called as others are.
type LeafStack struct {
	Countdown, Measured uint32
	Timed               bool
	Elapsed             time.Duration
}

// NewLeafStack returns nil.
func NewLeafStack[T any](*T) *LeafStack { return nil }

// LeafError is nil: nothing has failed.
func LeafError() error { return nil }

// CanLeaf reports false.
func (l *Library) CanLeaf() bool { return false }

// InvokeLeaf is Invoke.
func (l *Library) InvokeLeaf(ctx context.Context, c *abi.Call, _ *LeafStack, _ string) (asked int, err error) {
	return 0, l.Invoke(ctx, c)
}

// LeafRegion is empty.
func LeafRegion() (low, size uintptr) { return 0, 0 }

// TellCrashes does nothing: crashes are told as the runtime tells them.
func TellCrashes(string) error { return nil }

// CatchAgain does nothing.
func CatchAgain() {}

func catchAgain() {}
