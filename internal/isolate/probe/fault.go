package probe

import (
	"context"
	"encoding/json"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
)

// opFault asks for Faulted, and arms the next fault. It is answered by [hooks] alone; see opWatch.
const opFault = opLeft + 1

// FaultMode says how a function of the system fails that a library calls.
type FaultMode uint32

// The modes.
const (
	FaultError       FaultMode = iota // as it does where there is no memory, no space or no descriptor
	FaultInterrupted                  // with EINTR
	FaultPart                         // not at all: it moves half of the bytes
	FaultForGood                      // and so do all that the library calls after it
	FaultLate                         // when it has done what it is for
)

// NoFault is the number of no call.
const NoFault = ^uint64(0)

// modes are those of a function. One that moves bytes is often tried again.
func (f systemFunction) modes() []FaultMode {
	if f.kind == ofClosing {
		return []FaultMode{FaultLate}
	}
	all := []FaultMode{FaultError}
	if f.interrupts {
		all = append(all, FaultInterrupted, FaultForGood)
	}
	if f.parts {
		all = append(all, FaultPart)
	}
	return all
}

// Faulted tells which functions of the system the library has called since a fault was armed last.
type Faulted struct {
	Known bool     // false where they cannot be told
	Calls []string // their names, in order, or the first of them
	Fired string   // the one that has failed; empty for none
	At    []uint64 // where in its file the library called it, and what called that, the innermost first; none where that is not known
}

// FaultModes are those in which a function of the system can fail.
func FaultModes(name string) []FaultMode { return systemFunctions[name].modes() }

// Memory tells whether a function of the system is one that hands out memory.
func Memory(name string) bool { return systemFunctions[name].kind == ofMemory }

// Opens tells whether it opens something, or looks whether it is there.
func Opens(name string) bool { return systemFunctions[name].kind == ofOpening }

// Closes tells whether a function of the system is one that closes a descriptor.
func Closes(name string) bool { return systemFunctions[name].kind == ofClosing }

// ArmFault has call number of the functions of the system that the library makes from now on fail,
// counted from 0; [NoFault] for none. It tells what came of the fault before.
func ArmFault(s *isolate.Session, number uint64, mode FaultMode) (f Faulted, err error) {
	text, err := s.Operate(context.Background(), opFault, number, uint64(mode))
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(text, &f)
}

// systemFunction is a function of the C library that can fail.
type systemFunction struct {
	kind       functionKind
	errno      uint32
	answer     uint64 // of one that fails
	interrupts bool   // it may be interrupted
	parts      bool   // its third argument is a size, of which it may move a part
}

type functionKind uint8

const (
	ofMemory functionKind = 1 + iota
	ofOpening
	ofMoving // bytes
	ofClosing
	ofOthers
)

// Numbers of errors, which are those of Linux.
const (
	errIO, errNoMemory, errTooManyFiles, errNoSpace = 5, 12, 24, 28
	errAgain, errInterrupted                        = 11, 4
	minusOne                                        = ^uint64(0)
)

// hostAlloc is the name of the host's alloc among functions that fail.
const hostAlloc = "host->alloc"

// systemFunctions are those that fail in a test. What only tells of a failure by a flag of its own, as
// fread does, is not among them. close closes also where it fails, as that of Linux does.
var systemFunctions = make(map[string]systemFunction)

func init() {
	add := func(f systemFunction, names ...string) {
		for _, name := range names {
			systemFunctions[name] = f
		}
	}
	add(systemFunction{kind: ofMemory, errno: errNoMemory}, "malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "memalign", "strdup", "strndup", "__strdup")
	add(systemFunction{kind: ofMemory, errno: errNoMemory, answer: errNoMemory}, "posix_memalign")
	add(systemFunction{kind: ofMemory}, hostAlloc)
	add(systemFunction{kind: ofMemory, errno: errNoMemory, answer: minusOne}, "mmap", "mmap64")
	add(systemFunction{kind: ofOpening, errno: errTooManyFiles}, "fopen", "fopen64", "fdopen", "opendir", "tmpfile", "tmpfile64")
	add(systemFunction{kind: ofOpening, errno: errTooManyFiles, answer: minusOne}, "open", "open64", "openat", "openat64", "__open_2", "__open64_2", "creat", "creat64", "mkstemp", "mkstemp64",
		"socket", "pipe", "pipe2", "dup", "eventfd", "epoll_create1", "timerfd_create", "memfd_create")
	add(systemFunction{kind: ofOpening, errno: errIO, answer: minusOne}, "stat", "stat64", "lstat", "lstat64", "access")
	add(systemFunction{kind: ofMoving, errno: errIO, answer: minusOne, interrupts: true}, "read", "pread", "pread64", "__read_chk", "__pread_chk", "__pread64_chk")
	add(systemFunction{kind: ofMoving, errno: errNoSpace, answer: minusOne, interrupts: true, parts: true}, "write", "pwrite", "pwrite64")
	add(systemFunction{kind: ofOthers, errno: errIO, answer: minusOne}, "fstat", "fstat64", "lseek", "lseek64", "fsync", "fdatasync", "mkdir", "rmdir", "unlink", "rename", "link", "symlink")
	add(systemFunction{kind: ofOthers, errno: errIO, answer: minusOne, interrupts: true}, "ftruncate", "ftruncate64")
	add(systemFunction{kind: ofClosing, errno: errIO, answer: minusOne}, "close")
	add(systemFunction{kind: ofOthers, errno: errAgain, answer: errAgain}, "pthread_create")
}

// fault answers a Faulted, and arms the next one.
func (h *hooks) fault(library string, number uint64, mode FaultMode) ([]byte, error) {
	if !h.faultsTried {
		h.faultsTried = true
		h.faults, _ = newFaults(library) // nil where it cannot be done
	}
	if h.faults == nil {
		return json.Marshal(Faulted{})
	}
	out := h.faults.seen()
	h.faults.arm(number, mode)
	return json.Marshal(out)
}
