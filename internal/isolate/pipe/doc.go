// Package pipe reaches a worker through two pipes, on any system: both ends of the
// protocol. [New] makes the host's end, [NewWorker] the worker's. docs/process.md
// describes the frames byte by byte; the rules are here.
//
// A request is a [Frame] and its payload. Each side writes whole ones, one at a time:
// a message that was begun is always completed, whatever becomes of the context of
// the caller, from a copy if need be. The worker answers each request once, in any
// order, and sends log lines in between.
//
// A plugin calls its host with a frame of its own, whose number is that of the request in
// which it calls, or of a lane, for threads of its own. The host's listener hands it to the
// goroutine that waits for that request, or to the lane's, of which there is one for each
// lane that was used; they answer with a frame. The listener never writes, and whoever
// reads in the worker never waits for an answer, so that both pipes move, however much goes
// through the other.
//
// The host has asked before it takes an answer: one that nobody asked for, that is
// longer than it may be, or an unknown operation ends the worker. So does a call within a
// request that is not under way, or that has a call under way already, and one in a lane
// that is taken. What a frame
// announces and does not send costs the host no memory. A deadline counts from the
// moment when the request has its turn on the pipe; that of a transfer is put off
// while its own bytes move, and no others'.
package pipe
