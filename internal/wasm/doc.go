// Package wasm runs plugins that are WebAssembly modules (docs/wasm.md), with wazero. It is a
// way to a plugin as packages native and isolate are: it compiles a module, runs abi, config,
// connect and init, and makes the calls.
//
// A module is not trusted. What it gives, lengths and addresses above all, are numbers that
// are checked against its memory, read once. It has that memory, the folders that it was given,
// its host's log, and what it may call of the host; nothing else.
//
// A module serves one call at a time. Who touches a module, its memory or its fields has its
// turn.
//
// Generated code does not stop for the garbage collector, nor for anybody else. Before it is
// compiled a module is therefore rewritten, so that it calls its host about each millisecond
// (package meter); what ends a call is seen there.
package wasm
