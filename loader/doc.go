// Package loader runs native plugins: it reads nyash.toml, loads the shared
// libraries that the file names when their first box is made, and calls their
// methods with Go values. It needs no cgo and no C toolchain.
//
//	host, err := loader.Open("nyash.toml")
//	defer host.Close()
//
//	file, err := host.New(ctx, "FileBox")
//	defer file.Close()
//
//	_, err = file.Call(ctx, "open", "data.txt", "w")
//
// It is for programs that use plugins. It stands on registry (what nyash.toml
// says), tlv (how values cross), internal/native (how code is reached in this process)
// and internal/isolate (how it is reached in another one).
//
// The rule that will bite you: a plugin runs inside your process. A call that
// has begun cannot be interrupted there, by a context or otherwise, and a plugin that
// crashes ends the program. A call therefore honours its context until it
// begins and not after. With isolation = "process" in nyash.toml neither is so: a crash
// is an error, and a call returns when its context ends, while the plugin goes on with
// it for as long as call_timeout or cancel_grace allow (docs/process.md).
//
// Who owns what: a [Box] is yours until you Close it; one that you drop is
// finalised some time after the garbage collector finds it, with a warning in
// the log. Values that calls return are copies and yours for good. A Box passed
// as an argument is lent for the call. A box that a call returns is yours to
// close, unless it is one that you hold already.
//
// Every exported method is safe for concurrent use. Whether calls into one
// library then run at the same time is for nyash.toml to say (`threads`).
package loader
