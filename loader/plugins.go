package loader

import (
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

// Event is a change of an isolated library's state.
type Event struct {
	Plugin string // as [PluginStatus] calls it
	State  PluginState
	Err    error // why, where the state is failed
	Time   time.Time
}

// PluginStatus tells how a library is. What is counted and measured is counted
// and measured of isolated libraries only.
type PluginStatus struct {
	Name      string // the plugin's; the library's where it provides several boxes
	Library   string // as nyash.toml names it
	Isolation registry.Isolation
	State     PluginState
	PID       int           // of the worker; 0 without one
	Restarts  int           // workers that took the place of one that died
	Calls     uint64        // that were made
	Errors    uint64        // of them, those that failed or that the plugin refused
	RSS       uint64        // the worker's resident memory, in bytes
	CPU       time.Duration // the worker's processor time
	Err       error         // of the last failure
}

// Plugins tells how the libraries are, in the order of nyash.toml.
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

// Reset lets an isolated library start again that crashed more often than its
// restart policy allows. box is any box of the library.
func (h *Host) Reset(box string) error {
	k, err := h.boxType(box)
	if err != nil {
		return err
	}
	k.lib.source.reset()
	return nil
}

func (h *Host) emitEvent(l *library, state PluginState, err error) {
	if h.options.events != nil {
		h.options.events(Event{Plugin: l.name, State: state, Err: err, Time: time.Now()})
	}
}
