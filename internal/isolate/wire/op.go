package wire

import (
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// Version is that of the layout and of the messages. Host and worker must agree.
const Version = 7

// Slots is the number of calls that can be under way in a worker at once. A bit
// of the pending word stands for each.
const Slots = 64

// MaxBlob is the longest blob that is passed either way, in bytes.
const MaxBlob = 16 << 30

// Lanes is the number of calls to the host that threads of the plugin's own, and its
// connect and init, can have under way at once. Where a call to the host has a number, the
// lanes' follow those of the requests.
const Lanes = 16

// MaxHostMessage is the longest message, and the longest result, of a call of the plugin
// to its host, in bytes.
const MaxHostMessage = contract.DefaultMaxResult

// Op is what a request asks for.
type Op = uint32

// The operations. A and B are their two numbers: through shared memory Args and
// ArgsLength.
const (
	OpInvoke   Op = iota
	OpAdopt       // take over the blob at Args of length ArgsLength
	OpFree        // free the blob at Args
	OpMemory      // answer the counts of the host table as JSON
	OpShutdown    // call the plugin's shutdown

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

	OpRoute // have the calls of type id A go through table number B of the description

	OpDiscard // free the blob of length B at A, which the host does not want; through a pipe only

	OpConfig // for testers: answer what has become of the library's text on itself, as JSON

	// OpPlace copies the B bytes at A, which the host lends for so long, to memory that the
	// library owns from then on, and answers the address there as a u64. Through a pipe they
	// are the payload.
	OpPlace

	// Only through a pipe: the plugin calls its host, and the host answers.
	OpHostCall
	OpHostResolve
	OpHostAnswer

	// OpUnanswered is for testers: answer as JSON how often the library has asked its host
	// when that did not answer any more.
	OpUnanswered

	// OpInvokeBatch makes several calls. Through shared memory Args is the request, and Room
	// where the answers go; see [FitBatch].
	OpInvokeBatch
)

// OpTesters is the first of the operations that a tester's hooks alone know; see package probe.
const OpTesters Op = 1 << 16

// Refused is the code of an operation other than OpInvoke that failed; the
// result is the error's text.
const Refused int32 = -1

// SelfServing is true in a program that can be its own worker.
var SelfServing atomic.Bool
