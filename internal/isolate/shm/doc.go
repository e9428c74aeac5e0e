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
// # A batch
//
// A slot also carries a batch of calls of one instance: the request in the room for a
// message, the answers in a room of their own, and between them the results, where the
// worker lays them out. Where the library makes the calls by itself, all answers come at
// once. Otherwise the worker counts each in made as it comes, and looks before each call
// whether the host has set stop. The host reads the answers once it has seen Done; before
// that, and of a worker that has died, only those that were counted. It knows by its own
// count of the calls, and by its own rooms, what there can be at most.
//
// # Sleeping and waking
//
// Servers of the worker look for requests for a while, counted in watching, and then
// sleep on requests. The order of writes and reads keeps a request from being missed:
//
//	host:   set the bit in pending   then read watching, and wake a server if it is 0
//	worker: lower watching           then read pending, and sleep only if it is 0
//
// As many servers watch at once as there are processors but one. A server that has
// answered takes what is pending before it watches. So while other requests are there, a
// caller leaves its own to the servers that are awake, looks for its answer, and wakes
// one only if none has taken the request after a few microseconds: waking costs more
// than most calls.
//
// The host's callers look for their answer for a while, and then wait. Where there are as
// many of them as processors, each lets the others run between two looks: one thread then
// sends the requests of all, while the worker answers those before, and nobody sleeps. Of
// those who wait, at most one, the leader, sleeps on completions for all; it sets "host
// asleep" before it compares completions with what it has seen, and the worker counts
// completions before it reads "host asleep". A waiter that leaves while there is no
// leader wakes another one, which takes over. The leader looks every 2 ms in any
// case: at contexts, deadlines, and requests that a worker has overlooked.
//
// # Calls of the plugin to its host
//
// A plugin calls its host within a request, or in a lane: one of those for threads of its
// own, and for connect and init, which run before there are requests. Each slot and lane
// has a head ([HostCall]) and room for a message and a result; what is larger is in the
// worker's arena. A slot's state hands its head over too, a lane has a state of its own,
// and both have one call at a time:
//
//	worker: fills the head, state = Calling, counts completions (or sets the lane's bit)
//	host: reads each number once, copies the message, carries the call out
//	host: writes code, length and result, state Calling → Running
//	worker: copies the result, and goes on
//
// The host answers by compare-and-swap: where the worker has changed the state meanwhile,
// that stays, and nobody waits for it.
//
// Within a request the goroutine that waits for its answer serves the call: the state is
// one more that ends its wait, and it gives up the lead before it does anything else. The
// request's deadline stands still for so long. Lanes have listeners on the host's side,
// from the moment on when the library turns out to connect: one or two more than calls in
// lanes, who sleep on the lanes' own words as servers do on requests. A worker that rings
// for nothing has them rest.
//
// Whoever waits for the other side looks for a while, and then sleeps on the state itself,
// after it has said so in the head. Where looking has been in vain, the next looks are
// short; see shortSpin.
//
// What Calls is given is the host's own memory: a copy of the message, checked and with the
// blobs at the host's addresses, and a buffer for the result. The bytes of blobs are where
// the worker can change them. A blob result is placed by an operation, OpPlace: the host
// lends the bytes, and the worker copies them to memory of the library's alloc.
//
// # Lifetime
//
// The memory is sealed, so that a worker cannot shrink it under the host. The host
// unmaps it when the worker is dead, no slot is in use, no listener is left (one may carry
// out a call that the worker made), and no blob is adopted; blobs that outlive the worker
// keep only their own pages. What the host has lent does not
// outlive it.
package shm
