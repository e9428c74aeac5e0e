// Package wire is what a host and its worker process tell each other, whichever way
// they are reached: the operations, the messages that come first, the kinds of log
// lines. docs/process.md describes it byte by byte. Packages shm and pipe carry it.
//
// The two sides do not trust each other alike. A worker does what its host asks. A
// host checks and bounds all that comes from a worker.
package wire
