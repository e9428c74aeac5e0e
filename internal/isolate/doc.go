// Package process reaches a plugin that runs in a worker process of its own, so
// that a crash is an error and not an outage. A [Plugin] is a library with its
// worker; it starts another one when the worker has died. A [Session] is one
// life of the worker: instances that were born in it are lost with it.
//
// Calls go through shared memory and allocate nothing, or through pipes where
// there is none to share. All methods are safe for
// concurrent use. docs/process.md describes the channel and the worker.
package isolate
