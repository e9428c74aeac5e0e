//go:build !nyash_portable && !nyash_noleaf && (amd64 || arm64) && (darwin || freebsd || linux)

package native

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// A signal that C's crash in a leaf method raises arrives while the runtime takes the goroutine
// for one that runs Go: it would make a panic of it on the C stack, and end in "unexpected
// SPWRITE function" without a word on the signal. So its handlers of these signals are replaced,
// each by one that looks where SP is, and with TellCrashes where PC is, and jumps to the runtime's for all that is not a leaf
// method's.

// crashSignals are the signals by which C crashes, with their names.
var crashSignals = [...]struct {
	number syscall.Signal
	name   string
}{
	{syscall.SIGSEGV, "SIGSEGV"}, {syscall.SIGBUS, "SIGBUS"}, {syscall.SIGFPE, "SIGFPE"}, {syscall.SIGILL, "SIGILL"},
	{syscall.SIGTRAP, "SIGTRAP"}, {syscall.SIGABRT, "SIGABRT"}, {syscall.SIGSYS, "SIGSYS"},
}

// What the handler reads; set before it is installed. handlersBefore is by signal.
var (
	leafFaults     struct{ low, size uintptr }
	goText         struct{ low, size uintptr }
	crashAdvice    string // empty unless TellCrashes was called
	handlersBefore [32]uintptr
	leafCopy       struct{ start, end, failed uintptr }
	ownProcess     int32
	runtimeHandler uintptr // the runtime's own

	signalSafe struct{ write, sigaction, raise uintptr }
)

// leafSignal is the handler's address; set in leaf_$GOARCH.s.
var leafSignal uintptr

func callSignalSafe(fn, a, b, c uintptr) uintptr

// exchange stores v and returns what was there. It is not sync/atomic's, which a build with the race
// detector makes a call that may grow the stack.
func exchange(p *uint32, v uint32) (old uint32)

// sigactionSize is at least the size of C's struct sigaction, which begins with the handler on
// all systems that there are leaf stacks on.
const sigactionSize = 256

type sigaction struct {
	handler uintptr
	_       [sigactionSize - unsafe.Sizeof(uintptr(0))]byte
}

// TellCrashes has a crash of C in this process be told in a line, which ends with advice, and end the
// process by the signal's default action, and not with the stacks of all goroutines, which say nothing of C.
// Panics of Go stay what they are. It is for programs, before they load a library; it does nothing for a
// library's host, whose crashes are its own.
func TellCrashes(advice string) error {
	low, end := textBounds()
	goText.low, goText.size = low, end-low
	crashAdvice = advice
	return catchLeafFaults(0, 0)
}

// textBounds is where the code of Go begins and ends.
func textBounds() (low, end uintptr)

// catchLeafFaults has a crash of C with SP among size bytes from low on say which method it is
// of, and end the process by the signal's default action.
func catchLeafFaults(low, size uintptr) error {
	for name, fn := range map[string]*uintptr{"write": &signalSafe.write, "sigaction": &signalSafe.sigaction, "raise": &signalSafe.raise} {
		var err error
		if *fn, err = purego.Dlsym(purego.RTLD_DEFAULT, name); err != nil {
			return fmt.Errorf("find %s for the crashes of leaf methods: %w", name, err)
		}
	}
	leafFaults.low, leafFaults.size = low, size
	leafCopy.start, leafCopy.end, leafCopy.failed = hostvtable.LeafCopy()
	ownProcess = int32(syscall.Getpid())
	scheduler := new(sigaction)
	if err := callSigaction(syscall.SIGURG, nil, scheduler); err != nil {
		return err
	}
	runtimeHandler = scheduler.handler // which is the same for all signals
	for _, s := range crashSignals {
		action := new(sigaction) // on the heap, where nothing moves
		if err := callSigaction(s.number, nil, action); err != nil {
			return err
		}
		if action.handler <= 1 || action.handler == leafSignal {
			continue // the default action, or none: nothing is to be kept from the runtime
		}
		handlersBefore[s.number] = action.handler
		action.handler = leafSignal
		if err := callSigaction(s.number, action, nil); err != nil {
			return err
		}
	}
	return nil
}

// keepCatching installs the handlers again where somebody has put the runtime's back: a plugin that
// restores what it found before the first leaf call, os/signal. A handler of somebody else's stays, who
// may call ours.
func keepCatching() {
	for _, s := range crashSignals {
		action := new(sigaction)
		if callSigaction(s.number, nil, action) != nil || action.handler != runtimeHandler || handlersBefore[s.number] == 0 {
			continue
		}
		handlersBefore[s.number] = action.handler
		action.handler = leafSignal
		_ = callSigaction(s.number, action, nil) // crashes are then told as the runtime tells them
	}
}

func callSigaction(signal syscall.Signal, action, before *sigaction) error {
	r, _, _ := purego.SyscallN(signalSafe.sigaction, uintptr(signal), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(before)))
	if int32(uint32(r)) != 0 {
		return fmt.Errorf("install a handler for the crashes of leaf methods: sigaction of %v fails", signal)
	}
	return nil
}

// What is in siginfo_t. Codes above kernelCode are of signals that a process sent, and so are
// those that are not positive.
const (
	infoCode   = 8
	kernelCode = 0x80
)

// leafFault judges a signal that came with SP in the region of leaf stacks, or any where crashes are
// told, and reports whether that is all: if not, it is for the handler that was there before. It runs on the signal
// stack, in the middle of C, with all signals blocked: no stack is checked or grown, nothing is
// allocated, no other goroutine's memory is looked at but the label.
//
//go:nosplit
//go:norace
//go:nocheckptr
func leafFault(signal uint32, info, context unsafe.Pointer) bool {
	code := *(*int32)(unsafe.Add(info, infoCode))
	pc, sp := registers(context)
	leaf := *sp-leafFaults.low < leafFaults.size
	if !leaf && *pc-goText.low < goText.size {
		return false // Go's own, which may become a panic
	}
	fault := code > 0 && code <= kernelCode
	if fault && *pc >= leafCopy.start && *pc < leafCopy.end {
		*pc = leafCopy.failed
		return true
	}
	if !fault && (*(*int32)(unsafe.Add(info, infoSender)) != ownProcess || raisedCode != 0 && code != raisedCode) {
		return false // sent by somebody, and by chance here
	}
	if state := exchange(&crash.taken, 1); state != 0 {
		// Another thread crashes, too: its line comes first, and its signal ends the process
		// meanwhile.
		for n := 0; n < 1<<27 && state != 2; n++ {
			state = exchange(&crash.taken, 1)
		}
		exchange(&crash.taken, 2)
		end(signal, fault)
		return true
	}
	var page *hostvtable.LeafPage
	if leaf {
		at := (*sp | (hostvtable.LeafStride - 1)) - (hostvtable.LeafPageSize - 1)
		page = *(**hostvtable.LeafPage)(unsafe.Pointer(&at))
		crash.add("\nnyash: the leaf method ")
		crash.label(page)
	} else {
		crash.add("\nnyash: a plugin")
	}
	crash.add(" crashed: ")
	for i := range crashSignals {
		if uint32(crashSignals[i].number) == signal {
			crash.add(crashSignals[i].name)
		}
	}
	if fault {
		crash.add(" at the address 0x")
		crash.hex(*(*uintptr)(unsafe.Add(info, infoAddress)))
	}
	crash.add(", pc 0x")
	crash.hex(*pc)
	if leaf && page.Base != 0 {
		crash.add(", the library at 0x")
		crash.hex(page.Base)
	}
	if leaf && *sp&(hostvtable.LeafStride-1) < hostvtable.LeafStride-LeafStackSize+overflowMargin {
		crash.add("; its stack, which has 256 KiB, has overflowed")
	}
	crash.add(". A plugin that crashes takes its process with it: ")
	if len(crashAdvice) > 0 {
		crash.add(crashAdvice)
	} else {
		crash.add("isolation = \"process\" gives it one of its own")
	}
	crash.add(".\n")
	callSignalSafe(signalSafe.write, 2, uintptr(unsafe.Pointer(&crash.text)), crash.length)
	exchange(&crash.taken, 2)
	end(signal, fault)
	return true
}

// end has the signal do what it does by default, when the handler returns: the instruction
// faults again. A signal that was raised is raised again, and so is one that comes behind its
// instruction.
//
//go:nosplit
//go:norace
func end(signal uint32, fault bool) {
	callSignalSafe(signalSafe.sigaction, uintptr(signal), uintptr(unsafe.Pointer(&defaultAction)), 0)
	if !fault || signal == uint32(syscall.SIGTRAP) || signal == uint32(syscall.SIGSYS) {
		callSignalSafe(signalSafe.raise, uintptr(signal), 0, 0)
	}
}

// overflowMargin is how near to a stack's end an overflow is seen: a call writes its return
// address below SP.
const overflowMargin = 64

var defaultAction sigaction

// shownLabel is how much of a label is shown, in bytes.
const shownLabel = 256

// crash is the line that leafFault writes, for the first thread that crashes.
var crash struct {
	crashLine
	taken uint32 // 1 while the line is made, 2 when it is written
}

type crashLine struct {
	text   [1024]byte
	length uintptr
}

//go:nosplit
//go:norace
func (l *crashLine) add(text string) {
	for i := 0; i < len(text) && l.length < uintptr(len(l.text)); i++ {
		l.text[l.length] = text[i]
		l.length++
	}
}

// label adds which method a leaf stack is for. It makes no string of it, which panics where the page is
// damaged.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (l *crashLine) label(page *hostvtable.LeafPage) {
	for n := uintptr(0); n < min(page.LabelLength, shownLabel); n++ {
		at := page.Label + n
		l.byte(**(**byte)(unsafe.Pointer(&at)))
	}
}

//go:nosplit
//go:norace
func (l *crashLine) byte(b byte) {
	if l.length < uintptr(len(l.text)) {
		l.text[l.length] = b
		l.length++
	}
}

//go:nosplit
//go:norace
func (l *crashLine) hex(n uintptr) {
	shift := 60
	for shift > 0 && n>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0 && l.length < uintptr(len(l.text)); shift -= 4 {
		l.text[l.length] = "0123456789abcdef"[n>>shift&15]
		l.length++
	}
}
