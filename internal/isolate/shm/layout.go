package shm

import (
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

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

	// The same words for the calls to the host that lanes carry.
	offLanes      = 0x280 // u32: a bit for each lane with a call; worker sets, host clears
	offLaneCalls  = 0x2c0 // u32: the worker counts up to wake a listener of the host
	offLaneAsleep = 0x300 // u32: listeners of the host that sleep

	offSlots = PageSize
	slotSize = 128

	offLog  = offSlots + wire.Slots*slotSize // a multiple of the page size
	LogSize = 256 << 10                      // a power of two

	// A slot's own room for a message and for a result, and behind the result a
	// page that the worker makes unreachable.
	BufferSize  = 17 * PageSize // more than 65,543 bytes, the largest message of one value
	bufferPitch = 2*BufferSize + PageSize
	offBuffers  = offLog + LogSize

	// The answers of a batch, for each slot. What they are copied from lies in the room for
	// a result, and the request in that for a message.
	offAnswers = offBuffers + wire.Slots*bufferPitch

	// Calls of the plugin to its host: the heads, and for each room for a message and
	// for a result.
	offHostCalls       = offAnswers + wire.Slots*BufferSize
	hostCallSize       = 128
	offHostCallBuffers = offHostCalls + (hostCalls*hostCallSize+PageSize-1)&^(PageSize-1)
	hostCallPitch      = 2 * BufferSize

	// Everything larger lies in two arenas: one whose blocks the host hands out,
	// and one that the worker's alloc takes from. They are address space, not
	// memory, until they are used.
	offHostArena   = offHostCallBuffers + hostCalls*hostCallPitch
	ArenaSize      = wire.MaxBlob
	offWorkerArena = offHostArena + ArenaSize
	Size           = offWorkerArena + ArenaSize
)

// hostCalls is how many calls to the host there can be at once: one within each request,
// and the lanes.
const hostCalls = wire.MaxHostCalls

// States of a slot. The host moves it from 0 or done to requested, the worker from
// there to running and to done. While it runs, the plugin may call its host: the worker
// moves it to calling, and the host back to running. Of a lane there are these two only.
// A slot that is done or calling is the host's.
const (
	Requested uint32 = 1 + iota
	Running
	Done
	Calling
)

// ArgsOffset is where slot i has its own room for a message.
func ArgsOffset(i int) uint64 { return offBuffers + uint64(i)*bufferPitch }

// ResultOffset is where slot i has its own room for a result.
func ResultOffset(i int) uint64 { return ArgsOffset(i) + BufferSize }

// GuardOffset is where the page behind the result of slot i begins.
func GuardOffset(i int) uint64 { return ResultOffset(i) + BufferSize }

// AnswersOffset is where the answers of a batch in slot i begin.
func AnswersOffset(i int) uint64 { return offAnswers + uint64(i)*BufferSize }

// CallArgsOffset is where call i to the host has its room for a message: slot i's, or
// that of lane i - wire.Slots.
func CallArgsOffset(i int) uint64 { return offHostCallBuffers + uint64(i)*hostCallPitch }

// CallResultOffset is where it has its room for a result.
func CallResultOffset(i int) uint64 { return CallArgsOffset(i) + BufferSize }

// HostArena and WorkerArena are where the arenas begin.
const (
	HostArena   uint64 = offHostArena
	WorkerArena uint64 = offWorkerArena
)

// How long the two sides of a call to the host look for each other before they sleep, when
// they have just done so for nothing. Where all processors are busy, host and plugin may
// share one, and who looks keeps the other from it: a call takes 7 µs in this way, and 16
// µs otherwise. After longSpins such calls they look for as long as they do elsewhere.
const (
	shortSpin = 2 * time.Microsecond
	longSpins = 4
)
