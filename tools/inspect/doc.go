// Package inspect tells what a library says of itself, for people, for programs and as
// an entry for nyash.toml; it is the code behind `nyash inspect`. What the library exports is
// read from its file, so that something can be told of one that does not load. It is
// loaded in a worker process: one that crashes or hangs is an error like any other.
//
// Text from a library (names, docs, what it logs) is fit for terminals in a [Report].
package inspect
