package native

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
)

// Threads says which threads may run a library's code.
type Threads = contract.Threads

// The values of Threads.
const (
	Free   = contract.ThreadsFree
	Serial = contract.ThreadsSerial
	Pinned = contract.ThreadsPinned
)

// Config says how to open a library.
type Config struct {
	File string // an existing file
	// Seen is what Look has seen of File shortly before; nil has Open look.
	Seen       *Seen
	InvokeOnly bool // abi, init and shutdown may be missing
	Threads    Threads
	Unload     bool // really close the library after shutdown
	Track      bool // count the blocks of the host table
	Sink       hostvtable.Sink
	// Calls answers what a library that exports nyash_plugin_connect asks of its host.
	// Such a library, and one that is Exclusive, has one use at a time. Nil answers all
	// that is asked with [abi.ErrNotPermitted].
	Calls     hostvtable.Calls
	Exclusive bool
	// Around runs connect and init, and shutdown: with the context that Calls is given
	// for what they ask. Nil runs them with the context of the background.
	Around func(run func(context.Context))
	// Configure is given what the library's nyash_plugin_config returned, before init,
	// where the library exports that. It decides on Threads with it, or refuses the
	// library with an error. Nil leaves Threads as it is.
	Configure func(text string) (Threads, error)
	// Tables are the boxes that may have a TypeBox table. A library with one of them may
	// lack all other symbols.
	Tables []TableRequest
	// MethodsOf tells the methods of a box that has a table, where the request lists none.
	// It is called before the library's functions are. Nil leaves the list as it is.
	MethodsOf func(box string) []string
}

// Library is one use of a loaded plugin. Its methods are safe for concurrent
// use; Close must come last.
type Library struct {
	image    *image
	invoke   uintptr // nyash_plugin_invoke
	batch    uintptr // nyash_plugin_invoke_batch, or 0
	turn     turn    // nil when calls need no turn
	connects bool    // it may call its host
	file     string
	identity files.Identity
	detach   func()
	close    sync.Once
	tables   tables
	base     uintptr // of the library in memory, where leaf methods are called as such; else 0
}

// Open loads a library, or joins its image where the process has loaded it
// before. On an error nothing is left behind: no reference, no sink.
//
// ctx bounds only the waiting for a thread that the library may run on.
func Open(ctx context.Context, config Config) (*Library, error) {
	file, err := filepath.Abs(config.File)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", config.File, err)
	}
	seen := config.Seen
	if seen == nil || seen.asked != file {
		seen = Look(file)
	}
	if seen.err != nil {
		return nil, seen.err
	}
	file, config.File, config.Seen = seen.file, seen.file, nil
	image, found, detach, err := openImage(ctx, config)
	if err != nil {
		return nil, err
	}
	l := &Library{image: image, invoke: image.entry.invoke, batch: image.entry.batch, turn: image.turn, connects: image.entry.connect != 0, file: file, identity: seen.identity, detach: detach}
	if found != nil {
		l.InTurn(func() {
			defer hostvtable.Enter(ctx).Leave()
			l.tables = readTables(found)
		})
	}
	if symbol := image.entry.lacks(config.InvokeOnly); symbol != "" && found == nil {
		// Another use of the library needed less: it found a table, or is invoke-only.
		return nil, errors.Join(config.missing(symbol, l.invoke != 0, nil), l.Close())
	}
	return l, nil
}

// File is the absolute path of the library, symbolic links resolved.
func (l *Library) File() string { return l.file }

// Identity is that of the file that was opened.
func (l *Library) Identity() files.Identity { return l.identity }

// Description is what the plugin said of itself.
func (l *Library) Description() abi.Description {
	d := l.image.description
	d.Tables, d.Generation, d.Connects = l.tables.found, l.image.entry.generation(), l.connects
	return d
}

// Invoke calls nyash_plugin_invoke, or invoke_id of the table that Route names for the
// call's type. The plugin may use c and its buffers until Invoke returns.
//
// ctx bounds the waiting for the library's turn (see [Threads]); a call that
// has begun is not interrupted. It is also the context of what the library asks of its
// host within the call. An error means that no call was made.
func (l *Library) Invoke(ctx context.Context, c *abi.Call) error {
	if l.connects {
		return l.enterAndInvoke(ctx, c)
	}
	if l.tables.found != nil {
		if r := &l.tables.fast[c.TypeID%uint32(len(l.tables.fast))]; r.invoke != 0 && r.typeID == c.TypeID && l.turn == nil {
			invokeTable(r.invoke, c)
			return nil
		}
		return l.invokeWithTables(ctx, c)
	}
	if l.turn != nil {
		return invokeInTurn(ctx, l.turn, l.invoke, c)
	}
	invoke(l.invoke, c)
	return nil
}

// invokeWithTables is Invoke for a library that has TypeBox tables.
func (l *Library) invokeWithTables(ctx context.Context, c *abi.Call) error {
	fn := l.table(c.TypeID)
	switch {
	case fn != 0 && l.turn != nil:
		return invokeTableInTurn(ctx, l.turn, fn, c)
	case fn != 0:
		invokeTable(fn, c)
		return nil
	case l.invoke == 0:
		c.Code, c.ResultLength = abi.ErrInvalidType, 0
		return nil
	case l.turn != nil:
		return invokeInTurn(ctx, l.turn, l.invoke, c)
	}
	invoke(l.invoke, c)
	return nil
}

// InvokeBatch makes the calls in order, as Invoke would, in one crossing through
// nyash_plugin_invoke_batch. It returns how many were made: all, or those up to and with
// one that answered [abi.ErrShortBuffer], or none where the library has no such symbol or
// a box has a TypeBox table. ctx is as for Invoke. An error means that none was made.
func (l *Library) InvokeBatch(ctx context.Context, calls []abi.Call) (made int, err error) {
	if l.batch == 0 || l.tables.found != nil && slices.ContainsFunc(calls, func(c abi.Call) bool { return l.table(c.TypeID) != 0 }) {
		return 0, nil
	}
	var n uintptr
	switch {
	case l.connects:
		n, err = l.enterAndInvokeBatch(ctx, calls)
	case l.turn == nil:
		n = invokeBatch(l.batch, calls)
	default:
		n, err = invokeBatchInTurn(ctx, l.turn, l.batch, calls)
	}
	// A plugin that counts wrongly must not make calls appear.
	return int(min(n, uintptr(len(calls)))), err
}

// InTurn runs f where and when the library is called: see [Threads].
func (l *Library) InTurn(f func()) {
	if l.turn == nil {
		f()
		return
	}
	_ = l.turn.do(context.Background(), f) // whose only error is the context's
}

// Lend tells the address of data, which the caller keeps alive and on the heap.
func (l *Library) Lend(_ context.Context, data []byte) (addr uint64, err error) {
	return cmem.Address(data), nil
}

// TakeBack does nothing: what was lent was never elsewhere.
func (l *Library) TakeBack(uint64, int) {}

// Lost reports false: with the library, the process would be gone.
func (l *Library) Lost() bool { return false }

// Adopt takes over a blob that a call returned; see [hostvtable.Table.Adopt].
func (l *Library) Adopt(_ context.Context, addr, length uint64) (data []byte, release func(), err error) {
	return l.image.table.Adopt(addr, length)
}

// Discard frees a blob that a call returned and that nobody wants.
func (l *Library) Discard(addr, length uint64) {
	if _, release, err := l.image.table.Adopt(addr, length); err == nil {
		release()
	}
}

// Memory reports what went through the host table; ok is false unless the
// library was opened with Track.
func (l *Library) Memory() (m hostvtable.Memory, ok bool) {
	return l.image.table.Memory()
}

// Unanswered counts what the library has asked of its host when that did not answer it any
// more; see [hostvtable.Table.Unanswered].
func (l *Library) Unanswered() uint64 { return l.image.table.Unanswered() }

// Close gives up this use of the library. The last one to close calls
// nyash_plugin_shutdown and, where unload was asked for, closes the library.
// No call may be under way. Closing again does nothing.
func (l *Library) Close() error {
	var err error
	l.close.Do(func() { err = l.image.release(l.detach) })
	return err
}
