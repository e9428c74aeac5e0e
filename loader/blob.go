package loader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Blob is data that a method returned by reference (returns = "blob"): memory
// that the plugin took from the host's alloc and that belongs to the host now.
// Nothing of it is copied (docs/abi.md, Blobs). Its owner releases it: a Blob that is
// dropped instead is released some time after the garbage collector finds it, with a
// warning in the log.
//
// A Blob may be used by several goroutines as long as none releases it while
// another reads its bytes. It outlives its box and its host.
type Blob struct {
	mu      sync.Mutex
	data    []byte
	release func() // nil when released
	cleanup runtime.Cleanup
	result  resultKind // of results that are the blob
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

// Release frees the memory. Of an isolated plugin it may wait for the worker, for no
// longer than five seconds. Releasing again does nothing.
func (b *Blob) Release() {
	b.mu.Lock()
	release := b.release
	b.data, b.release = nil, nil
	b.mu.Unlock()
	if release == nil {
		return
	}
	b.cleanup.Stop()
	release() // apart: it may wait for a worker, for some seconds
}

// String describes the blob for people.
func (b *Blob) String() string { return fmt.Sprintf("blob (%d bytes)", b.Len()) }

// blobResult takes over the memory that a result refers to.
func (in *instance) blobResult(ctx context.Context, plan *plan.Plan, v tlv.Value) (Result, error) {
	addr, length, err := v.Blob()
	if err != nil {
		return Result{}, in.errHost(plan, err)
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
	blob.result = resultKind{tag: tlv.TagBlob, blob: blob}
	return Result{kind: &blob.result}, nil
}

// adoptBlob takes over a blob. The caller calls release, once.
func (in *instance) adoptBlob(ctx context.Context, plan *plan.Plan, addr, length uint64) (data []byte, release func(), err error) {
	if most := in.host.options.maxBlob; length > most {
		in.backend.Discard(addr, length)
		return nil, nil, in.errHost(plan, fmt.Errorf("%w: a blob of %d bytes, the host allows %d (loader.WithMaxBlob)", ErrResultSize, length, most))
	}
	data, release, err = in.backend.Adopt(ctx, addr, length)
	switch {
	case err == nil:
		return data, release, nil
	case ctx.Err() != nil || errors.Is(err, transport.ErrCrashed) || errors.Is(err, transport.ErrLost) || errors.Is(err, transport.ErrNoAnswer):
		return nil, nil, in.errHost(plan, err)
	}
	return nil, nil, in.errHost(plan, protocolErrorf("the result is a blob that cannot be taken over: %w", err))
}

// blobArg is data that was passed as an argument by reference. Keeping it here keeps it
// alive, and makes it escape to the heap: a goroutine's stack can move.
type blobArg struct {
	data  []byte
	addr  uint64 // once it is lent
	at    uint32 // where the message with the call's arguments has the address
	index uint32 // among the call's arguments
	call  int    // of a batch

	copied *calls.Budget // that has the bytes of data; nil where they are the caller's
}

// writeTo writes the address to the message.
func (a *blobArg) writeTo(msg []byte) { binary.LittleEndian.PutUint64(msg[a.at:], a.addr) }

// appendBlob appends argument i of a call to its message, as a reference whose address
// is not known before lendBlobs.
func (b *borrowed) appendBlob(msg []byte, plan *plan.Plan, i int, arg any) ([]byte, error) {
	data, err := plan.BlobArg(i, arg)
	if err != nil {
		return msg, err
	}
	msg = tlv.AppendBlob(msg, 0, uint64(len(data)))
	b.blobs = append(b.blobs, blobArg{data: data, index: uint32(i), at: uint32(len(msg) - 16)}) // 8 bytes each of address and length
	return msg, nil
}

// lendBlobs has the plugin see the blobs.
func (b *borrowed) lendBlobs(ctx context.Context) error {
	for b.lentBlobs < len(b.blobs) {
		blob := &b.blobs[b.lentBlobs]
		addr, err := b.to.backend().Lend(ctx, blob.data)
		if err != nil {
			return fmt.Errorf("argument %d: %w", blob.index+1, err)
		}
		blob.addr = addr
		b.lentBlobs++
	}
	return nil
}

// takeBackBlobs ends the lending of blobs.
func (b *borrowed) takeBackBlobs() {
	for i := range b.blobs[:b.lentBlobs] {
		b.to.backend().TakeBack(b.blobs[i].addr, len(b.blobs[i].data))
	}
	b.lentBlobs = 0
}
