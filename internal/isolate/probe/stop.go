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
	Write   bool   // that was to be written; never set on arm64
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
	const write = 2 // in the processor's error code, which is the upper half
	return Fault{Signal: int(uint32(number(1))), PC: number(2), Address: number(3), Write: number(1)>>32&write != 0}, line[:at[0]], true
}
