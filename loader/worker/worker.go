// Package worker makes a program its own worker, so that plugins with isolation =
// "process" need no nyash-worker beside it (docs/process.md).
//
//	func main() {
//		worker.Main() // returns at once in the program itself
//		…
//	}
package worker

import "github.com/nyash-plugins/nyash-go/internal/isolate/worker"

// Main returns at once in a program that was started by a user, and never in one
// that a host started as its worker. Hosts in a program that calls it start the
// program itself to run isolated plugins.
//
// Call it before anything else: what a program sets up before, it sets up in every
// worker too. It must be called from the main goroutine, once.
func Main() { worker.Main() }
