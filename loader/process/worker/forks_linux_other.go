//go:build linux && !amd64

package worker

// forks are the system calls that make processes and nothing else: elsewhere
// clone makes them all.
var forks []uint32
