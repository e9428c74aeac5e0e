// Package channel is what a host and its worker process share: the layout of
// their common memory, the waiting and waking, the ring of log lines and the
// messages on the control socket; or else the frames that go through pipes. docs/process.md describes it byte by byte.
//
// The two sides do not trust each other alike. A worker does what its host
// says. A host takes nothing that it reads here on trust: it reads every word
// once, and checks it before use. The memory itself cannot shrink under the
// host, because it is sealed.
package channel
