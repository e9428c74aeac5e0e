package channel

import "sync/atomic"

// Version is that of the layout and of the messages. Host and worker must agree.
const Version = 2

// Slots is the number of calls that can be under way in a worker at once. A bit
// of the pending word stands for each.
const Slots = 64

// The shared memory, in order. Offsets and sizes are in bytes.
const (
	PageSize = 4096

	// Words that the two sides wait on, each in a cache line of its own.
	offPending     = 0x040 // u64: a bit for each slot with a request; host sets, worker clears
	offRequests    = 0x080 // u32: the host counts up to wake a server
	offWatching    = 0x0c0 // u32: servers that look for requests and are awake
	offCompletions = 0x100 // u32: the worker counts its answers
	offHostAsleep  = 0x140 // u32: the host wants to be woken for answers
	offLogHead     = 0x180 // u64: bytes that were ever written to the ring; worker
	offLogTail     = 0x1c0 // u64: bytes that were ever read of it; host

	offBegun = 0x200 // u32: the worker is about to load the library
	offSpun  = 0x240 // u64: nanoseconds that servers have looked for requests; worker

	offSlots = PageSize
	slotSize = 128

	offLog  = offSlots + Slots*slotSize // a multiple of the page size
	LogSize = 256 << 10                 // a power of two

	// A slot's own room for a message and for a result, and behind the result a
	// page that the worker makes unreachable.
	BufferSize  = 17 * PageSize // more than 65,543 bytes, the largest message of one value
	bufferPitch = 2*BufferSize + PageSize
	offBuffers  = offLog + LogSize

	// Everything larger lies in two arenas: one whose blocks the host hands out,
	// and one that the worker's alloc takes from. They are address space, not
	// memory, until they are used.
	offHostArena   = offBuffers + Slots*bufferPitch
	ArenaSize      = 16 << 30
	offWorkerArena = offHostArena + ArenaSize
	Size           = offWorkerArena + ArenaSize
)

// States of a slot. The host moves it from Idle to Requested, the worker from
// there to Running and Done, and the host back to Idle.
const (
	Idle uint32 = iota
	Requested
	Running
	Done
)

// What a request asks for.
const (
	OpInvoke   uint32 = iota
	OpAdopt           // take over the blob at Args of length ArgsLength
	OpFree            // free the blob at Args
	OpMemory          // answer the counts of the host table as JSON
	OpShutdown        // call the plugin's shutdown

	// Only through a pipe.
	OpLoad     // the first: load what the payload says as JSON
	OpLend     // keep the payload, and answer its address as A
	OpTakeBack // forget what was lent at A
	OpAnswer   // the worker answers
	OpLine     // the worker says what the ring would hold
	OpBegun    // the worker is about to load the library

	// For testers, through both.
	OpProbe        // invoke, with memory that is laid out for the call
	OpReload       // shut down and close the library, and load it again
	OpBatch        // make the calls of the Batch whose JSON is lent at Args, and answer it
	OpSurroundings // answer Changes as JSON; with the threads where Args is not 0

	// OpServing answers which thread serves request Args, for limits.cpu_time through
	// a pipe: a u32 thread id and a u64 of its processor time, in nanoseconds, when the
	// call began. Zeros where none does.
	OpServing

	OpDiscard // free the blob of length B at A, which the host does not want; through a pipe only
)

// Refused is the code of an operation other than OpInvoke that failed; the
// result is the error's text.
const Refused int32 = -1

// ArgsOffset is where slot i has its own room for a message.
func ArgsOffset(i int) uint64 { return offBuffers + uint64(i)*bufferPitch }

// ResultOffset is where slot i has its own room for a result.
func ResultOffset(i int) uint64 { return ArgsOffset(i) + BufferSize }

// GuardOffset is where the page behind the result of slot i begins.
func GuardOffset(i int) uint64 { return ResultOffset(i) + BufferSize }

// HostArena and WorkerArena are where the arenas begin.
const (
	HostArena   uint64 = offHostArena
	WorkerArena uint64 = offWorkerArena
)

// SelfServing is true in a program that can be its own worker.
var SelfServing atomic.Bool
