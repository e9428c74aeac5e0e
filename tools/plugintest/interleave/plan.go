// Package interleave makes calls of a plugin from several threads in chosen orders, also such
// where one thread is stopped in the middle of a call while others make theirs. The calls are
// made by a driver in C (driver/driver.c), which is compiled on the machine where it runs: in
// a Go program the threads are the runtime's.
package interleave

import (
	"encoding/binary"
	"time"
)

// Kind is what a call is for.
type Kind uint32

// The kinds.
const (
	KindCall  Kind = iota // a call on the instance in its slot
	KindBirth             // its answer is the instance of the slot
	KindFini              // it ends the instance of the slot
	KindCopy              // a call on the instance in From, whose answer is the instance of the slot
)

// NoSlot is, in the answer of a call that answers an instance, in the place of its slot: it is in none.
const NoSlot = ^uint32(0)

// Call is one call that plans may have. Its result is not taken over: calls that answer
// instances leave them behind.
type Call struct {
	Table   int // the number, from 1, in Program.Tables; 0 for nyash_plugin_invoke
	Type    uint32
	Method  uint32
	Slot    int // where the instance is that it is made on, or that it makes; -1 for none
	Kind    Kind
	From    int // the slot of what a copy is made of
	Args    []byte
	Patches []Patch
}

// Patch is written into the arguments of a call when it is made: the id of the instance in a
// slot, or the address and the length of a blob.
type Patch struct {
	Offset int
	Slot   int
	Blob   int // the number, from 1, in Program.Blobs; 0 for an instance
}

// Plan is what is called: what prepares, with a birth for each slot that others use, what each
// thread calls, and what is called when all have finished. All numbers are of Program.Calls.
// The instances that are left are ended.
type Plan struct {
	Slots   int
	Setup   []int
	Threads [][]int
	Post    []int
}

// calls is how many answers an outcome has.
func (p *Plan) calls() int {
	n := len(p.Post)
	for _, t := range p.Threads {
		n += len(t)
	}
	return n
}

// How is how the threads of a plan meet.
type How uint32

// The ways.
const (
	Ordered How = iota // one call at a time, on the threads that Run.Order names
	// Stopped stops one thread before an instruction of the library, until the others have
	// made their calls or wait.
	Stopped
	// Free lets them run. No synchronisation orders their calls, which is what race detectors
	// need.
	Free
)

// NoPause is a Run.PauseAt that stops nothing. Such a run, which is slow, has a trace.
const NoPause = ^uint32(0)

// Run is a plan that is carried out once.
type Run struct {
	Plan    int
	How     How
	Fresh   bool   // in a process of its own, with what follows that is not fresh
	First   int    // the thread that is stopped
	PauseAt uint32 // before the instruction at this address in the library
	Skip    uint32 // how many times it may pass there first
	Watch   bool   // look for the others' use of the memory that it would use next, which is slow
	Order   []int  // the thread of each call
}

// Program is what the driver does in one go.
type Program struct {
	Library string
	Dir     string        // an empty folder, in which the plugin's working directories are made
	Limit   time.Duration // of a run
	Memory  uint64        // that the plugin's process may have, in bytes
	Mark    string        // a variable, as NAME=VALUE, of the environment of all processes; empty for none
	// InProcess makes all runs in the driver's own process: for one life, under valgrind.
	InProcess bool
	Tables    []string // symbols
	Blobs     [][]byte
	Calls     []Call
	Plans     []Plan
	Runs      []Run
}

// magic is the first number of what the driver reads.
const magic = 0x4c49594e

// encode is the program as the driver reads it.
func (p *Program) encode() []byte {
	var e encoder
	e.numbers(magic, flag(p.InProcess), uint32(p.Limit.Milliseconds()), uint32(p.Memory>>20))
	e.text([]byte(p.Library))
	e.text([]byte(p.Dir))
	e.numbers(uint32(len(p.Tables)))
	for _, t := range p.Tables {
		e.text([]byte(t))
	}
	e.numbers(uint32(len(p.Blobs)))
	for _, b := range p.Blobs {
		e.text(b)
	}
	e.numbers(uint32(len(p.Calls)))
	for i := range p.Calls {
		e.call(&p.Calls[i])
	}
	e.numbers(uint32(len(p.Plans)))
	for _, plan := range p.Plans {
		e.numbers(uint32(plan.Slots))
		e.list(plan.Setup)
		e.numbers(uint32(len(plan.Threads)))
		for _, t := range plan.Threads {
			e.list(t)
		}
		e.list(plan.Post)
	}
	e.numbers(uint32(len(p.Runs)))
	for _, r := range p.Runs {
		e.numbers(uint32(r.Plan), uint32(r.How), flag(r.Fresh), uint32(r.First), r.PauseAt, r.Skip, flag(r.Watch))
		e.list(r.Order)
	}
	return e.out
}

func flag(set bool) uint32 {
	if set {
		return 1
	}
	return 0
}

type encoder struct{ out []byte }

func (e *encoder) numbers(all ...uint32) {
	for _, n := range all {
		e.out = binary.NativeEndian.AppendUint32(e.out, n)
	}
}

func (e *encoder) text(data []byte) {
	e.numbers(uint32(len(data)))
	e.out = append(e.out, data...)
}

func (e *encoder) list(all []int) {
	e.numbers(uint32(len(all)))
	for _, n := range all {
		e.numbers(uint32(n))
	}
}

func (e *encoder) call(c *Call) {
	e.numbers(uint32(c.Table), c.Type, c.Method, uint32(c.Slot), uint32(c.Kind), uint32(c.From), uint32(len(c.Patches)))
	for _, p := range c.Patches {
		if p.Blob > 0 {
			e.numbers(uint32(p.Offset), 1, uint32(p.Blob-1))
		} else {
			e.numbers(uint32(p.Offset), 0, uint32(p.Slot))
		}
	}
	e.text(c.Args)
}
