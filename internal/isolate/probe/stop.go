package probe

import (
	"regexp"
	"strconv"
)

// Fault is what a worker says of a deadly signal before it stops.
type Fault struct {
	Signal  int
	PC      uint64 // where the thread was
	Address uint64 // that could not be used, of some signals
}

var faultLine = regexp.MustCompile(`nyfault:([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})$`)

// ParseFault finds a Fault in a line of a worker's output. rest is what stands before it.
func ParseFault(line string) (f Fault, rest string, ok bool) {
	at := faultLine.FindStringSubmatchIndex(line)
	if at == nil {
		return f, line, false
	}
	number := func(i int) uint64 {
		n, _ := strconv.ParseUint(line[at[2*i]:at[2*i+1]], 16, 64)
		return n
	}
	return Fault{Signal: int(number(1)), PC: number(2), Address: number(3)}, line[:at[0]], true
}
