package worker

// forks are the system calls that make processes and nothing else: here clone makes
// them all.
var forks []uint32
