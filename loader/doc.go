// Package loader runs native plugins: it reads nyash.toml, loads the shared
// libraries that the file names, and calls methods of the objects in them (boxes)
// with Go values. It needs no cgo and no C toolchain.
//
//	host, err := loader.Open("nyash.toml")
//	defer host.Close()
//
//	file, err := host.New(ctx, "FileBox")
//	defer file.Close()
//
//	_, err = file.Call(ctx, "open", "data.txt", "w")
//	n, err := loader.Call[int](ctx, file, "write", "Hello")
//
// It is for programs that use plugins. A [Host] stands for one nyash.toml. [Host.New]
// makes a [Box], loading its library at the first use. [Call] calls a method by name and
// returns a Go value, [Box.Call] whatever comes, as a [Result]. For many calls there are
// three quicker ways: [Box.Method] finds a method once, for [Invoke]; [Method.AppendBytes]
// copies a result to memory of yours; [Box.Batch] makes many calls in one crossing. Data of
// any size goes by reference, as a [Blob]. The program's own Go types become boxes with
// [WithBox].
//
// # The rule that will bite you
//
// Where a plugin runs decides what can go wrong with it, and nyash.toml decides where
// it runs:
//
//   - By default it runs inside your process. A call that has begun cannot be
//     interrupted, by a context or otherwise, and a plugin that crashes ends the
//     program. A call honours its context until it begins and not after.
//   - With isolation = "process" it runs in a worker process. A crash is an error
//     ([ErrPluginCrashed]), and a call returns when its context ends, while the plugin
//     goes on with it for as long as call_timeout or cancel_grace allow
//     (docs/process.md).
//
// # Who owns what
//
// You close the hosts that you open, close the boxes and release the blobs that you
// get. A Box that you drop is finalised, and a Blob released, some time after the
// garbage collector finds it, with a warning in the log. All other values that calls
// return are copies and yours for good. A Box that you pass as an argument is lent for
// the call: closing it meanwhile waits. A box that a call returns is yours to close,
// unless you hold it already.
//
// # Concurrency
//
// Every exported method is safe for concurrent use, except those of [Batch]. Calls into
// one library run at the same time unless nyash.toml declares threads = "serial" or
// "pinned". [WithMaxInFlight] bounds the calls of a host.
//
// # Errors
//
// A call that fails returns a [*CallError], a library that cannot be loaded a
// [*LoadError]. errors.Is matches the plugin's [abi.Code] and the errors of this
// package. Text that came from a plugin has been made printable in errors and log
// lines; a result is data and stays as it is.
package loader
