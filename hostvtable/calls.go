package hostvtable

import (
	"context"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Calls answers what a library asks of its host through the functions that
// nyash_plugin_connect was given (docs/abi.md, "Calling the host"). Its methods are called
// on the library's threads, several at once. ctx is the context of the call of the library
// in which it asks, or nil on a thread of its own.
type Calls interface {
	// Resolve finds the ids of a method by its name, and answers with [abi.OK] or why
	// not. The names are as the library gave them: bounded, and of any bytes.
	Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code)
	// Invoke makes a call as nyash_plugin_invoke does: it fills in Code and ResultLength
	// and writes to the result buffer. c and its memory are the library's, and valid
	// until Invoke returns. The addresses of blobs among the arguments are those of this
	// process.
	Invoke(ctx context.Context, c *abi.Call, from Caller)
}

// Caller is the library that asks.
type Caller interface {
	// Session is the life of the library that asks: in a worker, the
	// *isolate.Session; nil where the library has only one.
	Session() any
	// Life ends when that life does, with what it ended of as the cause; nil where no call
	// outlasts it.
	Life() context.Context
	// Thread tells the threads of the library that call apart.
	Thread() uint64
	// Place copies data to memory that the library owns from then on, as if from its
	// alloc, and returns the address there that a result names it by. No data is at 0.
	Place(data []byte) (addr uint64, err error)
}
