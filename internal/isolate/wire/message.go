package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/permit"
)

// EnvVersion is the variable that says that the program is to be a worker, of
// which Version, and how it reaches its host; see [Environment].
const EnvVersion = "NYASH_WORKER"

// Load is the first message: what the worker is to be. Where the library describes
// itself with nyash_plugin_config, the worker answers with that text alone, before it
// calls init, and the host sends the message again with the Threads that follow from it.
type Load struct {
	Version    int
	File       string
	InvokeOnly bool
	Threads    uint8
	Unload     bool
	Track      bool  // overwrite what is released
	Survey     bool  // look at the process before loading, for OpSurroundings
	Wrapped    bool  // a debugger or the like runs the worker
	Guard      Guard // of what the library takes with malloc, in a tester's worker
	Stops      bool  // a tester's worker stops at deadly signals until it is continued
	Limits     Limits
	AtOnce     int                   // requests at the same time, as far as is foreseen; 0 for as many as there can be
	Calls      bool                  // the host answers what a library asks that connects
	MaxBlobs   uint64                // how many bytes the blobs of one such call may have
	Tables     []native.TableRequest `json:",omitempty"`
	Module     *Module               `json:",omitempty"` // the file is a WebAssembly module
}

// Guard is how a tester's worker guards blocks of malloc.
type Guard uint8

// The guards. GuardExact has a block end at the byte in front of memory that cannot be touched, which
// leaves fewer low bits of its address 0 than malloc does.
const (
	GuardNone Guard = iota
	GuardAligned
	GuardExact
)

// Module is what a library gets that is a WebAssembly module.
type Module struct {
	Memory    uint64         // bytes that it may have; 0 for the default
	OpenFiles uint64         // files that it may have open; 0 for the default
	Env       []string       `json:",omitempty"` // names of the variables that are passed on
	Mounts    []permit.Mount `json:",omitempty"`
	CacheDir  string         // where compiled code is kept; empty for nowhere
}

// ErrNotLinked: the program has no engine for WebAssembly modules.
var ErrNotLinked = errors.New(`this program cannot run WebAssembly modules; fix: import _ "github.com/nyash-plugins/nyash-go/loader/wasm", and go mod tidy`)

// StatusModule is the exit status of a worker whose module has ended. What it printed last says
// why.
const StatusModule = 86

// Limits are what the worker sets for itself before it loads the plugin. The host
// watches the two of processor time.
type Limits struct {
	Memory    *uint64        `json:",omitempty"`
	OpenFiles *uint64        `json:",omitempty"`
	CPUTime   *time.Duration `json:",omitempty"`
	CPUTotal  *time.Duration `json:",omitempty"`
	Processes *uint64        `json:",omitempty"`
}

// Loaded is the worker's answer.
type Loaded struct {
	Version     int
	Hooks       bool    // the worker has a tester's hooks
	Base        uint64  // address of the shared memory in the worker
	Config      *string `json:",omitempty"` // of the library; nothing else is then set but Version
	Calling     bool    `json:",omitempty"` // connect or init has begun to call the host; nothing else is then set but Version
	Description abi.Description
	Error       *LoadError `json:",omitempty"`
}

// UnmarshalJSON reads the answer, of which every byte may be the plugin's: it stops
// at more methods than a description may have, so that a message costs the host
// little more than its length.
func (l *Loaded) UnmarshalJSON(data []byte) error {
	var answer struct {
		Version     int
		Hooks       bool
		Base        uint64
		Config      *string
		Calling     bool
		Description struct {
			TypeID     uint32
			TypeName   string
			Methods    methods
			Tables     list[table]
			Connects   bool
			Generation abi.Generation
		}
		Error *LoadError
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	d := &answer.Description
	var tables []abi.Table
	for _, t := range d.Tables.items {
		tables = append(tables, abi.Table{Box: t.Box, Methods: t.Methods.items, Err: t.Err})
	}
	*l = Loaded{
		Version: answer.Version, Hooks: answer.Hooks, Base: answer.Base, Config: answer.Config, Calling: answer.Calling, Error: answer.Error,
		Description: abi.Description{
			TypeID: d.TypeID, TypeName: d.TypeName, Methods: d.Methods.items, Tables: tables, Connects: d.Connects, Generation: d.Generation,
		},
	}
	return nil
}

// table is an [abi.Table] that is read as [list] is.
type table struct {
	Box     string
	Methods methods
	Err     string
}

type methods = list[abi.Method]

// list is read item by item, and once: over and over it would cost many times the
// message's length.
type list[T any] struct {
	items []T
	seen  bool
}

func (all *list[T]) UnmarshalJSON(data []byte) error {
	if all.seen {
		return errors.New("a list comes twice")
	}
	all.seen = true
	d := json.NewDecoder(bytes.NewReader(data))
	switch begin, err := d.Token(); {
	case err != nil:
		return err
	case begin == nil: // null
		return nil
	case begin != json.Delim('['):
		return errors.New("the methods are no list")
	}
	for d.More() {
		if err := contract.CheckMethodCount(uint64(len(all.items)) + 1); err != nil {
			return err
		}
		var item T
		if err := d.Decode(&item); err != nil {
			return fmt.Errorf("method %d: %w", len(all.items)+1, err)
		}
		all.items = append(all.items, item)
	}
	return nil
}

// LoadError is a load that failed in the worker.
type LoadError struct {
	Text   string
	Reason string    // of native's errors, or empty
	Detail string    // of a native.Error
	Code   *abi.Code `json:",omitempty"`
	Ended  bool      `json:",omitempty"` // a WebAssembly module has, in its start
	Exists bool      // false where the file is not there
}

// MaxMessage is the largest message, in bytes; more than any description that
// [contract.CheckDescription] lets through has.
const MaxMessage = 8 << 20

// Encode is a message's text.
func Encode(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // names of such characters would be six times as long
	err := e.Encode(v)
	return text.Bytes(), err
}

// Decode reads a message's text. An error is one line of bounded length, whatever
// the text is.
func Decode(text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("its message cannot be understood: %s", contract.Excerpt(err.Error()))
	}
	return nil
}

// Send writes a message.
func Send(w io.Writer, v any) error {
	data, err := Encode(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}

// Receive reads a message.
func Receive(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > MaxMessage {
		return fmt.Errorf("a message of %d bytes, and the largest is %d", n, MaxMessage)
	}
	// What is announced and not sent costs nothing.
	var text bytes.Buffer
	if _, err := io.CopyN(&text, r, int64(n)); err != nil {
		if err == io.EOF { //nolint:errorlint // as io.ReadFull tells it
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return Decode(text.Bytes(), v)
}
