package loader

import (
	"context"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

// backend is the way to the instances of one life of a library: the library in this
// process, one life of its worker, or a box written in Go. Implementations are
// compared with ==, are safe for concurrent use, and are closed by their [source].
type backend interface {
	// Invoke calls a method as nyash_plugin_invoke does: it fills in Code and
	// ResultLength and writes to Result, all unchecked. c and its buffers belong to
	// the plugin until Invoke returns. An error means that no call was made, that it
	// was lost or, as an *transport.AbandonedError, that it goes on although ctx has
	// ended; c then belongs to the plugin until its Wait returns.
	Invoke(ctx context.Context, c *abi.Call) error
	// InvokeBatch makes calls in order in one crossing and returns how many it
	// made: all, those up to and with one that answered short buffer, or none
	// where the plugin does not offer it. With an error the first made were answered all
	// the same; the next was lost, not made or, with an *transport.AbandonedError, goes on:
	// then the calls and their buffers belong to the plugin until its Wait has returned.
	InvokeBatch(ctx context.Context, calls []abi.Call) (made int, err error)
	// Lend returns the plugin's address of data that a call passes by reference.
	// The caller keeps data alive, on the heap and unchanged until TakeBack.
	Lend(ctx context.Context, data []byte) (addr uint64, err error)
	TakeBack(addr uint64, length int)
	// Adopt takes over a blob that a call returned, as [hostvtable.Table.Adopt]
	// does. data is valid until release, which does not wait. Discard frees the
	// blob instead, without waiting.
	Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error)
	Discard(addr, length uint64)
	// Lost reports whether this life has ended, and all its instances with it.
	Lost() bool
}

// source is where a library's backends come from, one implementation for each way to
// reach a plugin. Its methods are safe for concurrent use, except that open is called
// by one goroutine at a time, and session only after open has succeeded.
type source interface {
	// open makes the library usable and returns the types of its boxes, in the
	// order of library.boxTypes. On an error nothing of the library stays behind.
	open() ([]*boundType, error)
	// session returns the backend that a new instance lives in. It may start one, and
	// wait for that until ctx is done.
	session(ctx context.Context, singleton bool) (backend, error)
	// memory counts what the library took from the host table, if that is tracked.
	memory() (m Memory, ok bool)
	// status sets what a running library shows, in the status of one that is not.
	// It returns false for what is no library of nyash.toml.
	status(s *PluginStatus) bool
	// reset permits a library that failed too often to start again.
	reset()
	// killable reports whether kill ends the calls under way, because they run in
	// another process, or in a WebAssembly module.
	killable() bool
	// kill ends all calls, with cause as their error, and lets no other begin.
	kill(cause error)
	// close ends the library's life, if it has begun. No call may be under way, and
	// none may follow. Closing again does nothing.
	close() error
}

// newSource chooses the way to a library of nyash.toml.
func newSource(l *library, conf *registry.Library) source {
	switch {
	case l.host.options.isolationOf(conf) == registry.IsolationProcess:
		return &processSource{lib: l, conf: conf}
	case conf.IsModule():
		return &moduleSource{lib: l, conf: conf}
	}
	return &nativeSource{lib: l, conf: conf}
}
