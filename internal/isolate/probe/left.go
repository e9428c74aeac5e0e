package probe

import (
	"context"
	"encoding/json"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// opLeft asks for what is Left. It is answered by [hooks] alone; see opWatch.
const opLeft = opWatch + 1

// Part is a part of the process, or of a thread, that belongs to the host and that code of the
// plugin can change.
type Part int

// The parts. The first four are those of the thread on which a call was made.
const (
	FloatControl Part = 1 + iota // rounding, masked exceptions and the like of its floating-point unit
	SignalMask
	SignalStack  // for the handlers of the host's runtime
	ThreadLocale // as uselocale sets it
	Locale       // as setlocale sets it
	Environment  // of C
	Umask
	Directory // the working directory
	Handlers  // of signals
	Random    // the numbers of random and rand
	Timers    // that send signals
	Code      // memory that is both writable and executable
	Files     // descriptors that were opened and are still open
	Standard  // descriptors 0, 1 and 2, of which one was closed or is of another file
	Children  // processes that were started and have not been waited for
)

// Change is one thing that code of the plugin has left otherwise than it was.
type Change struct {
	Part Part
	Text string // what is otherwise, for a person
	// Names are what Text lists, of descriptors with the file's name, and of handlers.
	Names []string `json:",omitempty"`
}

// CallChange is what one call has left.
type CallChange struct {
	TypeID, Method uint32
	Changes        []Change
}

// Left is what code of the plugin has left. Threads are compared after each call of a Probe, and
// with [wire.Watch] the process, too.
type Left struct {
	Known   bool         // false where it cannot be told
	Loading []Change     // by the library's constructors, connect and init
	Calls   []CallChange // since they were asked for last
	Now     []Change     // in the process, since the library was loaded; Files and Children among them
	// Shutdown is what shutdown left on the thread that called it.
	Shutdown []Change
}

// LookAtLeft tells what is left. No call may be under way.
func LookAtLeft(s *isolate.Session) (l Left, err error) {
	text, err := s.Operate(context.Background(), opLeft, 0, 0)
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(text, &l)
}

// maxCallChanges is how many calls are kept that have left something.
const maxCallChanges = 64

// compare compares the thread before and after f, which the library's code runs on it, and with
// process the process, too.
func (h *hooks) compare(process bool, lib libraryThread, f func()) []Change {
	if !h.compares {
		f()
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, processBefore := h.look(process, lib)
	f()
	after, processAfter := h.look(process, lib)
	changes := after.changes(before)
	lib(before.restore)
	if process && processBefore != nil && processAfter != nil {
		changes = append(changes, processAfter.changes(processBefore)...)
	}
	return changes
}

// libraryThread runs a function on the thread on which the library's functions run that are
// called from this one.
type libraryThread func(func())

func (h *hooks) look(process bool, lib libraryThread) (t threadState, p *processState) {
	if process {
		p, _ = h.system.process()
	}
	lib(func() { t = h.system.thread() })
	return t, p
}

// noteCall keeps what a call has left.
func (h *hooks) noteCall(typeID, method uint32, changes []Change) (damage wire.Damage) {
	if len(changes) == 0 {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.calls) < maxCallChanges {
		h.calls = append(h.calls, CallChange{typeID, method, changes})
	}
	return wire.Left
}

// left answers a Left.
func (h *hooks) left() ([]byte, error) {
	if !h.compares || h.loaded == nil {
		return json.Marshal(Left{})
	}
	now, err := h.system.process()
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l := Left{Known: true, Loading: h.loading, Calls: h.calls, Now: now.changes(h.loaded), Shutdown: h.shutdown}
	h.calls = nil
	return json.Marshal(l)
}

func switched(on bool) string {
	if on {
		return ": on"
	}
	return ": off"
}
