package loader

import (
	"context"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// backend is one way to reach a plugin.
type backend interface {
	// Description is what the library said of itself when it was loaded.
	Description() abi.Description
	// Invoke calls a method as nyash_plugin_invoke does: it fills in Code and
	// Length and writes to Result, all unchecked. An error means that no call
	// was made, or that it was lost.
	Invoke(ctx context.Context, inv *abi.Invocation) error
	// Memory counts what the library took from the host table, if that is
	// being tracked.
	Memory() (m hostvtable.Memory, ok bool)
	// Close ends the library's life. No call is under way.
	Close() error
}
