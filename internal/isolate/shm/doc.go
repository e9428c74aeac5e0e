// Package shm reaches a worker through memory that host and worker share, on Linux:
// both ends of the protocol. [New] makes the host's end, [NewWorker] the worker's.
// docs/process.md describes the memory byte by byte; the rules are here.
//
// # A slot
//
// A slot carries one request. Its state is written last by the side that hands it
// over, and all else in it belongs to the side that has it:
//
//	host: fills the slot, state = Requested, sets its bit in pending
//	worker: clears the bit, state Requested → Running, makes the call
//	worker: writes code and length, state = Done, counts completions
//	host: reads code and length once, copies the result, fills the slot again
//
// The host decides by the first Done that it sees: a worker may change the state
// again at any time. All fields but the state are loaded plainly, unordered: the load
// of Done orders them behind it where the worker keeps to the protocol, and no order
// helps where it does not, so each is read once and checked. Nothing that the worker writes is used as a length of the host's
// own memory.
//
// # Sleeping and waking
//
// Servers of the worker look for requests for a while, counted in watching, and then
// sleep on requests. The order of writes and reads keeps a request from being missed:
//
//	host:   set the bit in pending   then read watching, and wake a server if it is 0
//	worker: lower watching           then read pending, and sleep only if it is 0
//
// The host's callers look for their answer for a while if there is only one, and then
// wait. At most one of them, the leader, sleeps on completions for all; it sets "host
// asleep" before it compares completions with what it has seen, and the worker counts
// completions before it reads "host asleep". A waiter that leaves while there is no
// leader wakes another one, which takes over. The leader looks every 2 ms in any
// case: at contexts, deadlines, and requests that a worker has overlooked.
//
// # Lifetime
//
// The memory is sealed, so that a worker cannot shrink it under the host. The host
// unmaps it when the worker is dead, no slot is in use, and no blob is adopted; blobs
// that outlive the worker keep only their own pages. What the host has lent does not
// outlive it.
package shm
