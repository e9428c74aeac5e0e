//go:build race || !(linux && amd64)

package fence

import "sync/atomic"

// Release sets p to 0, with a barrier.
func Release(p *atomic.Uint64) { p.Store(0) }

// Heavy does nothing: Release makes the barrier.
func Heavy() {}
