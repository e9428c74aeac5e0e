package wire

import (
	"context"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Handler is what carries out requests in a worker. Its methods may be called by
// several goroutines at once. ctx is the request's [Outer].
type Handler interface {
	// Invoke calls nyash_plugin_invoke, and fills in c.
	Invoke(ctx context.Context, c *abi.Call)
	// InvokeBatch makes calls in order in one crossing, and returns how many were made, as
	// native's Library does; 0 where they have to be made one by one.
	InvokeBatch(ctx context.Context, calls []abi.Call) (made int)
	// InvokeTimed is Invoke for a host that asks which thread makes the call, and
	// what processor time that had used before; began is called with both.
	InvokeTimed(ctx context.Context, c *abi.Call, began func(thread int, used time.Duration))
	// Operate carries out what is not a call. The text is the answer's.
	Operate(ctx context.Context, op Op, a, b uint64) (text []byte, err error)
	// Probe is Invoke with the memory laid out as a tester wants it; the whole result
	// buffer is the answer.
	Probe(ctx context.Context, c *abi.Call, layout Layout) (Damage, error)
}
