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
	// ResultLength and writes to Result, all unchecked. An error means that no
	// call was made, that it was lost or, as a *process.AbandonedError, that it
	// goes on although ctx has ended.
	Invoke(ctx context.Context, c *abi.Call) error
	// InvokeBatch makes calls in order in one crossing and returns how many it
	// made: all, those up to and with one that answered short buffer, or none
	// where the plugin does not offer it. An error means that none was made.
	InvokeBatch(ctx context.Context, calls []abi.Call) (made int, err error)
	// Lend tells the plugin's address of data that a call passes by reference;
	// data stays alive and as it is until TakeBack.
	Lend(ctx context.Context, data []byte) (addr uint64, err error)
	TakeBack(addr uint64, length int)
	// Lost reports whether the plugin has died, and all its instances with it.
	Lost() bool
	// Adopt takes over a blob that a call returned, as [hostvtable.Table.Adopt]
	// does; Discard frees it instead, without waiting.
	Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error)
	Discard(addr, length uint64)
	// Memory counts what the library took from the host table, if that is
	// being tracked.
	Memory() (m hostvtable.Memory, ok bool)
}
