package channel

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// EnvVersion is the variable that says that the program is to be a worker, of
// which Version, and how it reaches its host; see [Environment].
const EnvVersion = "NYASH_WORKER"

// Load is the first message: what the worker is to be.
type Load struct {
	Version    int
	File       string
	InvokeOnly bool
	Threads    uint8
	Unload     bool
	Track      bool // overwrite what is released
	Survey     bool // look at the process before loading, for OpSurroundings
	Wrapped    bool // a debugger or the like runs the worker
	Limits     Limits
}

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
	Base        uint64 // address of the shared memory in the worker
	Description abi.Description
	Error       *LoadError `json:",omitempty"`
}

// LoadError is a load that failed in the worker.
type LoadError struct {
	Text   string
	Reason string    // of native's errors, or empty
	Detail string    // of a native.Error
	Code   *abi.Code `json:",omitempty"`
	Exists bool      // false where the file is not there
}

// maxMessage is the largest message, in bytes; more than the description of any
// plugin has.
const maxMessage = 64 << 20

// Send writes a message.
func Send(w io.Writer, v any) error {
	data, err := json.Marshal(v)
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
	if n > maxMessage {
		return fmt.Errorf("a message of %d bytes, and the largest is %d", n, maxMessage)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
