package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is how host and worker reach each other.
type Kind string

// The kinds: memory with a socket beside it, or two pipes.
const (
	KindMemory Kind = "memory"
	KindPipe   Kind = "pipe"
)

// The descriptors that a worker begins with where the system numbers them: the
// socket and the memory, or the pipe that it reads and the one that it writes.
const (
	FirstFD  = 3
	SecondFD = 4
)

// Environment is the variable that makes a program a worker, with the
// descriptors or handles that it is given.
func Environment(kind Kind, first, second uintptr) string {
	return fmt.Sprintf("%s=%d %s %d %d", EnvVersion, Version, kind, first, second)
}

// VersionError is a worker that was started by another release's host.
type VersionError struct{ Host string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("this worker speaks version %d, and its host version %s: install the two of one release", Version, e.Host)
}

// ParseEnvironment reads the value of that variable.
func ParseEnvironment(value string) (kind Kind, first, second uintptr, err error) {
	fields := strings.Fields(value)
	if len(fields) == 0 || fields[0] != strconv.Itoa(Version) {
		return "", 0, 0, &VersionError{Host: strings.Join(fields[:min(1, len(fields))], "")}
	}
	if len(fields) != 4 || Kind(fields[1]) != KindMemory && Kind(fields[1]) != KindPipe {
		return "", 0, 0, fmt.Errorf("%s=%q is not what a host says", EnvVersion, value)
	}
	a, errA := strconv.ParseUint(fields[2], 10, 63)
	b, errB := strconv.ParseUint(fields[3], 10, 63)
	if errA != nil || errB != nil {
		return "", 0, 0, fmt.Errorf("%s=%q names no descriptors", EnvVersion, value)
	}
	return Kind(fields[1]), uintptr(a), uintptr(b), nil
}
