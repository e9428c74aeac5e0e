package interleave

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Status is what came of a run.
type Status uint32

// The statuses.
const (
	StatusDone    Status = iota
	StatusSignal         // Result.Value is the signal that ended the process
	StatusExit           // Result.Value is the status with which it ended itself
	StatusHang           // a thread did not finish; Result.Value is 1 where all that were left waited in the kernel
	StatusNotBorn        // Result.Value is the code of a birth that prepares
	StatusNotLoaded
	StatusUnsupported // threads cannot be stopped here
	StatusLost        // the driver has written nothing of it
)

// Pause is what came of stopping a thread.
type Pause uint32

// The pauses.
const (
	NotPaused    Pause = iota // the thread had finished before
	Paused                    // the others made all their calls meanwhile
	OthersWaited              // they waited for it
)

// Result is what came of a run.
type Result struct {
	Status Status
	Value  uint32
	Pause  Pause
	// Met is the instruction with which another thread came to use the memory that the stopped
	// thread was about to use, where one of them writes and neither is a locked instruction; 0
	// for none. Altering: one of the two is a single instruction that reads, changes and writes
	// without a lock, which no atomic operation is, or both store what they have read there and
	// changed by one, of which one is lost.
	Met      uint32
	Altering bool
	// Outcome is all answers of a run, as something to be compared: those of each thread, in
	// its order, and those afterwards. What differs from run to run is not in it: the ids of
	// instances and the addresses of blobs.
	Outcome string
	// Trace is the instructions that the first thread ran in the library, of a run with NoPause.
	Trace []Step
}

// Step is an instruction.
type Step struct {
	Address  uint32 // in the library
	Returned bool   // a function of another library has returned there
	Meets    bool   // it uses memory that other threads may use
	Locked   bool   // it is an atomic one, by a lock prefix or by its kind
	Updates  bool   // it reads, changes and writes such memory, and is no atomic one; or it writes what was read there and changed by one
	Static   bool   // that memory is a variable of the library
}

// What the driver's report says of a step.
const (
	stepReturned = 1 << 31
	stepMeets    = 1 << 30
	stepLocked   = 1 << 29
	stepUpdates  = 1 << 28
	stepStatic   = 1 << 27
	stepMarks    = stepReturned | stepMeets | stepLocked | stepUpdates | stepStatic
)

// Answer is one answer of an outcome.
type Answer struct {
	Call int // of Program.Calls
	Code abi.Code
	// Data is the result; of an error what is in the result buffer, of a short buffer the size
	// that is asked for, of a birth "new", "again" for an id that is taken, or "zero"; of a
	// handle the type and the slot; of a blob its bytes.
	Data []byte
}

// Answers are those of an outcome.
func (r *Result) Answers() []Answer {
	var all []Answer
	for rest := []byte(r.Outcome); len(rest) > 0; {
		a, n, ok := parseAnswer(rest)
		if !ok {
			return nil
		}
		all, rest = append(all, a), rest[n:]
	}
	return all
}

func parseAnswer(b []byte) (a Answer, size int, ok bool) {
	if len(b) < 12 {
		return a, 0, false
	}
	n := int(binary.NativeEndian.Uint32(b[8:]))
	if n < 0 || n > len(b)-12 {
		return a, 0, false
	}
	code := abi.Code(int32(binary.NativeEndian.Uint32(b[4:])))
	return Answer{int(binary.NativeEndian.Uint32(b)), code, b[12 : 12+n]}, 12 + n, true
}

// maxReport is the largest report of a run that is read.
const maxReport = 256 << 20

// errReport means that what the driver wrote is damaged: the plugin shares its process.
var errReport = errors.New("the driver's report is damaged")

// errAllMade means that a report is the one behind those of all runs, which have this number for it.
var errAllMade = errors.New("all runs are made")

const allMade = 1<<32 - 1

// readResult reads the report of a run.
func (p *Program) readResult(r io.Reader) (run int, out Result, err error) {
	var head [24]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, out, err
	}
	number := func(i int) uint32 { return binary.NativeEndian.Uint32(head[4*i:]) }
	if number(0) == allMade {
		return 0, out, errAllMade
	}
	run = int(number(0))
	out = Result{Status: Status(number(1)), Value: number(2), Pause: Pause(number(3))}
	out.Met, out.Altering = number(4)&^stepReturned, number(4)&stepReturned != 0
	size := int(number(5))
	if run >= len(p.Runs) || out.Status > StatusUnsupported || out.Pause > OthersWaited || size > maxReport {
		return 0, out, errReport
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return 0, out, err
	}
	if out.Status != StatusDone {
		return run, out, nil
	}
	at := 0
	for range p.Plans[p.Runs[run].Plan].calls() {
		a, n, ok := parseAnswer(data[at:])
		if !ok || a.Call >= len(p.Calls) {
			return 0, out, errReport
		}
		at += n
	}
	out.Outcome = string(data[:at])
	for rest := data[at:]; len(rest) >= 4; rest = rest[4:] {
		at := binary.NativeEndian.Uint32(rest)
		out.Trace = append(out.Trace, Step{at &^ stepMarks, at&stepReturned != 0, at&stepMeets != 0, at&stepLocked != 0, at&stepUpdates != 0, at&stepStatic != 0})
	}
	out.Trace = slices.Clip(out.Trace)
	return run, out, nil
}
