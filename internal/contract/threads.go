package contract

import "slices"

// Threads says how many calls a library takes at once, and which threads may run its code.
type Threads uint8

const (
	// ThreadsFree allows any number of calls at once, on any threads. It is the default.
	ThreadsFree Threads = iota
	// ThreadsSerial makes calls one at a time, on any thread.
	ThreadsSerial
	// ThreadsPinned makes all calls, init and shutdown included, from one OS thread.
	ThreadsPinned
)

var threadNames = []string{"free", "serial", "pinned"}

// String returns the word that nyash.toml uses.
func (t Threads) String() string { return threadNames[t] }

// ParseThreads is the reverse of String.
func ParseThreads(word string) (t Threads, ok bool) {
	i := slices.Index(threadNames, word)
	return Threads(max(i, 0)), i >= 0
}
