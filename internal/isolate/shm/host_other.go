//go:build !linux

package shm

import (
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// Works reports whether there is memory to share.
func Works() bool { return false }

// New has nothing to make.
func New(*transport.Peer) (transport.Transport, *transport.Files, error) {
	return nil, nil, fmt.Errorf("%w: shared memory on %s; leave the channel to be chosen, or choose pipes", transport.ErrUnsupported, runtime.GOOS)
}
