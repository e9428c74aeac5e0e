package probe

import "github.com/nyash-plugins/nyash-go/internal/isolate/wire"

// Surroundings are what a plugin can change in its process, other than memory.
type Surroundings struct {
	Dir       string
	Umask     int
	Handlers  []uint64 // addresses, of signal 1 and so on; 0 the default, 1 ignored
	Files     int      // open descriptors
	Anonymous uint64   // memory that is no file's, in bytes
	Heap      uint64   // of the C library, what is allocated, in bytes; 0 where that is not known
	Threads   []Thread
}

// Thread is a thread of the process.
type Thread struct {
	ID      int
	Name    string
	Blocked uint64 // signals
	// Foreign threads run or wait in code that is not the worker's.
	Foreign bool
}

// Changes is the answer to OpSurroundings.
type Changes struct{ Before, Now Surroundings } // before the library was loaded

// Config is the answer to OpConfig: what is wrong with the text of nyash_plugin_config,
// compared with what it was before init; empty where nothing is.
type Config struct {
	Asked string // with what it returns now
	Kept  string // with what now stands where it was at first
}

// Batch is what OpBatch asks for and answers: calls that are made in one crossing.
type Batch struct {
	Calls  []BatchCall
	Made   int         // 0 where the plugin does not offer batches
	Damage wire.Damage // by any of the calls
}

// BatchCall is one call of a batch.
type BatchCall struct {
	TypeID, Method, Instance uint32
	Args                     []byte
	Room                     int // for the result, in bytes
	// Code is what the plugin has written, or Unwritten.
	Code   int32
	Length uint64
	Result []byte // the whole room
}

// Unwritten is the code of a call that was not made, or not answered.
const Unwritten int32 = 0x5a5a5a5a
