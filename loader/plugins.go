package loader

import (
	"fmt"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/registry"
)

// PluginState is where a library is in its life: unloaded → loading → ready →
// failed or closed. A library that failed is loaded again at its next use.
type PluginState = isolate.State

// The states of a library.
const (
	PluginUnloaded = isolate.Unloaded
	PluginLoading  = isolate.Loading
	PluginReady    = isolate.Ready
	PluginFailed   = isolate.Failed
	PluginClosed   = isolate.Closed
)

// Event is a change of the state of an isolated library, or of a WebAssembly module.
type Event struct {
	Plugin string // as [PluginStatus] calls it
	State  PluginState
	Err    error // why, where the state is failed
	Time   time.Time
}

// PluginStatus is the state of a library. PID, Calls, Errors, RSS and CPU are set for
// isolated libraries only; Restarts and Err for WebAssembly modules, too.
type PluginStatus struct {
	Name      string // the plugin's; the library's where it provides several boxes
	Library   string // as nyash.toml names it
	Isolation registry.Isolation
	State     PluginState
	PID       int           // of the worker; 0 without one
	Restarts  int           // workers or modules that took the place of one that died
	Calls     uint64        // calls that were made
	Errors    uint64        // of these, those that failed or returned an error code
	RSS       uint64        // the worker's resident memory, in bytes
	CPU       time.Duration // the worker's processor time
	Err       error         // of the last failure
}

// Plugins returns the state of each library, in the order of nyash.toml. It reads what
// the system counts of a worker, and waits for no plugin.
func (h *Host) Plugins() []PluginStatus {
	var all []PluginStatus
	for _, l := range h.libraries {
		var s PluginStatus
		if l.source.status(&s) {
			all = append(all, s)
		}
	}
	return all
}

// Reset permits an isolated library to start again that crashed more often than its
// restart policy allows ([ErrPluginBroken]). box is any box of the library; the error
// is [ErrNoBox]. On other libraries it does nothing.
func (h *Host) Reset(box string) error {
	t, err := h.boxType(box)
	if err != nil {
		return err
	}
	t.lib.source.reset()
	return nil
}

// emitEvent tells the program of a change of state; what is what the library runs in.
func (h *Host) emitEvent(l *library, what string, state PluginState, err error) {
	logged := state == PluginFailed && err != nil
	if !logged && h.options.events == nil {
		return
	}
	e := Event{Plugin: l.name, State: state, Err: err, Time: time.Now()}
	h.notices.put(func() {
		if logged { // whoever called may be gone
			h.options.logger.Warn(fmt.Sprintf("the plugin's %s has ended or could not be started: %v", what, err), "plugin", l.name)
		}
		if h.options.events != nil {
			h.options.events(e)
		}
	})
}
