package plugintest

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// A function that calls itself as often as its argument says fills the stack, or takes as long as it likes. The
// debugger shows then the same frames over and over.

const (
	longestCycle = 5 // functions that call one another
	fewestCycles = 3 // of them in what is shown of a stack
	// belowStack is how far below a stack an address is at most that was to be on it, in bytes.
	belowStack = 64 << 10
)

// foldRecursion shows frames that repeat once, and returns the functions that call one another; none where none do.
func (f *Finding) foldRecursion() []string {
	frames := f.Backtrace
	if i := slices.IndexFunc(frames, func(frame string) bool { return strings.HasPrefix(frame, anotherThread) }); i >= 0 {
		frames = frames[:i]
	}
	for cycle := 1; cycle <= longestCycle && fewestCycles*cycle < len(frames); cycle++ {
		// What they called last may be something else.
		for first := range min(longestCycle, len(frames)-fewestCycles*cycle) {
			if !repeats(frames[first:], cycle) {
				continue
			}
			calling := make([]string, 0, cycle)
			for _, frame := range frames[first : first+cycle] {
				calling = append(calling, functionOf(frame))
			}
			again := fmt.Sprintf("and so on, over and over: %s", callsItself(calling))
			f.Backtrace = slices.Concat(frames[:first+cycle], []string{again}, f.Backtrace[len(frames):])
			return calling
		}
	}
	return nil
}

// repeats tells whether the functions of frames are the same after each so many.
func repeats(frames []string, cycle int) bool {
	for i := cycle; i < len(frames); i++ {
		if functionOf(frames[i]) != functionOf(frames[i-cycle]) {
			return false
		}
	}
	return true
}

// functionOf is the name of a frame's function.
func functionOf(frame string) string {
	name, _, _ := strings.Cut(frame, " (")
	return name
}

func callsItself(calling []string) string {
	calling = slices.Clone(calling)
	slices.Sort(calling)
	if calling = slices.Compact(calling); len(calling) == 1 {
		return calling[0] + " calls itself"
	}
	last := len(calling) - 1
	return strings.Join(calling[:last], ", ") + " and " + calling[last] + " call one another"
}

// fullStack says of a crash that it is of a full stack.
func (w *worker) fullStack(f *Finding, signal syscall.Signal) {
	calling := f.foldRecursion()
	fault, ok := w.stacks.fault()
	if f.Code != codeCrash || len(calling) == 0 || !ok || signal != syscall.SIGSEGV && signal != syscall.SIGBUS || !w.stacks.isBelowStack(fault) {
		return
	}
	f.Message = fmt.Sprintf("its stack is full: %s without a limit (%s)", callsItself(calling), f.Message)
	f.Fix = "count how deep it is, and refuse what is nested deeper than a limit; or keep what is open in memory of malloc"
}

// isBelowStack tells whether an address is right below memory that can be written: a stack that has an end.
func (s *stacks) isBelowStack(fault probe.Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.mapped) {
		var from, to uint64
		var can string
		if n, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &can); n < 3 || err != nil || !strings.HasPrefix(can, "rw") {
			continue
		}
		if fault.Address < from && from-fault.Address <= belowStack {
			return true
		}
	}
	return false
}
