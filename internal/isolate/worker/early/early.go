// Package early has a worker serve a library of machine code before the packages of the engine
// for WebAssembly modules are initialised, which would be a sixth of its start.
//
// Go initialises packages in the order of their import paths, each after those that it
// imports; the engine's come after this one. Were it otherwise, workers would only start as
// late as without this package.
package early

import "github.com/nyash-plugins/nyash-go/internal/isolate/worker"

func init() { worker.MainOfNative() }
