package loader

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Blob is data that a method returned by reference (returns = "blob"): memory
// that the plugin took from the host's alloc and that belongs to the host now.
// Nothing of it is copied. Release it when done: a Blob that is dropped instead
// is released by the runtime at a time of its choosing, and the log says so.
//
// A Blob may be used by several goroutines as long as none releases it while
// another reads its bytes. It outlives its box and its host.
type Blob struct {
	mu      sync.Mutex
	data    []byte
	release func() // nil when released
	cleanup runtime.Cleanup
}

// Bytes is the data itself, not a copy, until Release; then it is nil. A slice
// that was taken before Release must not be used after it. (A host that tracks
// memory, see [WithMemoryTracking], overwrites what it releases, so that such
// a use shows.)
func (b *Blob) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data
}

// Len is the number of bytes; 0 after Release.
func (b *Blob) Len() int { return len(b.Bytes()) }

// Release gives the memory back. Releasing again does nothing.
func (b *Blob) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.release == nil {
		return
	}
	b.cleanup.Stop()
	b.release()
	b.data, b.release = nil, nil
}

// String describes the blob for people.
func (b *Blob) String() string { return fmt.Sprintf("blob (%d bytes)", b.Len()) }

// blobResult takes over the memory that a plugin's answer refers to.
func (in *instance) blobResult(ctx context.Context, plan *plan.Plan, v tlv.Value) (Result, error) {
	addr, length, err := v.Blob()
	if err != nil {
		return Result{}, in.failed(plan, err)
	}
	data, release, err := in.adoptBlob(ctx, plan, addr, length)
	if err != nil {
		return Result{}, err
	}
	blob := &Blob{data: data, release: release}
	logger, lib := in.host.options.logger, in.lib.name
	blob.cleanup = runtime.AddCleanup(blob, func(release func()) {
		logger.Warn(fmt.Sprintf("a blob of %s.%s was dropped without Release; it is released now", plan.Box, plan.Name), "plugin", lib)
		go release() // the runtime's cleanup goroutine must not wait for a plugin
	}, release)
	return Result{Value: v, blob: blob}, nil
}

func (in *instance) adoptBlob(ctx context.Context, plan *plan.Plan, addr, length uint64) (data []byte, release func(), err error) {
	if most := in.host.options.maxBlob; length > most {
		in.to.Discard(addr, length)
		return nil, nil, in.failed(plan, fmt.Errorf("%w: a blob of %d bytes, the host allows %d (loader.WithMaxBlob)", ErrResultSize, length, most))
	}
	data, release, err = in.to.Adopt(ctx, addr, length)
	switch {
	case err == nil:
		return data, release, nil
	case ctx.Err() != nil || errors.Is(err, isolate.ErrCrashed) || errors.Is(err, isolate.ErrLost) || errors.Is(err, isolate.ErrNoAnswer):
		return nil, nil, in.failed(plan, err)
	}
	return nil, nil, in.failed(plan, violation("the result is a blob that cannot be taken over: %w", err))
}

// lentBlob is memory that a plugin may use until it is taken back. It keeps the
// caller's data alive, and off its stack, which can move.
type lentBlob struct {
	data []byte
	addr uint64
}

// appendBlob appends argument i of a call to its message, as a reference.
func appendBlob(ctx context.Context, msg []byte, blobs []lentBlob, to backend, plan *plan.Plan, i int, arg any) ([]byte, []lentBlob, error) {
	data, err := plan.BlobArg(i, arg)
	if err != nil {
		return msg, blobs, err
	}
	addr, err := to.Lend(ctx, data)
	if err != nil {
		return msg, blobs, fmt.Errorf("argument %d: %w", i+1, err)
	}
	return tlv.AppendBlob(msg, addr, uint64(len(data))), append(blobs, lentBlob{data, addr}), nil
}

// takeBack ends the lending and returns the empty list.
func takeBack(to backend, blobs []lentBlob) []lentBlob {
	for _, b := range blobs {
		to.TakeBack(b.addr, len(b.data))
	}
	clear(blobs)
	return blobs[:0]
}
