package inspect

import (
	"io"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Version is that of a report as JSON. It changes when a field changes its meaning or
// goes.
const Version = 1

// Report is what can be told of a library. Lists are never nil.
type Report struct {
	Version int      `json:"version"`
	Library string   `json:"library"` // the file, as it was named
	Format  string   `json:"format"`  // of the file, with its processor
	Needs   []string `json:"needs"`   // libraries
	// Exports are the symbols of the plugin ABI, Lacks the functions that a library of
	// the [plugins] form must export beside them, Tables the boxes with a TypeBox table.
	Exports []string `json:"exports"`
	Lacks   []string `json:"lacks"`
	Tables  []string `json:"tables"`
	// Module is what only a WebAssembly module has; nil for other libraries.
	Module *Module `json:"module,omitempty"`
	// Manifest is the nyash_box.toml that was read; empty for none, or without tables.
	Manifest string `json:"manifest,omitempty"`
	// Generations of the ABI: FourSymbols or InvokeOnly, and Tables.
	Generations []string `json:"generations"`

	// The rest is of a library that was loaded, or in part.
	Loaded        bool      `json:"loaded"`
	ABI           uint32    `json:"abi,omitempty"` // 0 where it does not say
	SelfDescribed bool      `json:"self_described"`
	Threads       string    `json:"threads,omitempty"` // that it asks for; empty where it does not say. A module has one call at a time
	Boxes         []Box     `json:"boxes"`
	Requests      []Request `json:"requests"`
	Warnings      []string  `json:"warnings"`
	Log           []string  `json:"log,omitempty"` // the last lines that it logged or printed
	Error         string    `json:"error,omitempty"`

	file       string // absolute
	known      bool   // Exports were read
	types      []*registry.Type
	uses       []registry.Use // that it asks for
	noManifest string         // the nyash_box.toml that is not there; empty without tables
	faults     []error        // of a module's imports and exports
	// untold are the boxes with a table of which nothing tells the type id, and so nothing
	// more.
	untold   []string
	declared *registry.Library // its entry in a nyash.toml; nil for none
}

// Request is something that the library would like to be permitted: a key of its
// nyash.toml, and the value as TOML.
type Request struct {
	Box  string `json:"box"`
	Key  string `json:"key"`
	TOML string `json:"toml"`
}

// WriteJSON writes the report as one object.
func WriteJSON(w io.Writer, r *Report) error {
	return contract.WriteJSON(w, r, "  ")
}
