//go:build !nyash_portable && !nyash_noleaf && (amd64 || arm64) && (darwin || freebsd || linux)

package native

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// LeafStackSize is what a leaf method has of stack, in bytes. The page at its top is the
// loader's.
const LeafStackSize = 256 << 10

// maxLeafStacks is how many there are in a process: as many as a host makes calls at once,
// unless it was told otherwise. They are reserved, 2 GiB of addresses, and take memory only
// where a call has touched it.
const maxLeafStacks = 1024

// leafStacks is the region that all of them lie in. Each begins with what cannot be touched, most
// of it, so that a function with a large frame does not step over that; and so does the region.
var leafStacks struct {
	sync.Mutex
	err  error
	low  uintptr // a multiple of hostvtable.LeafStride; 0 before the first use
	made int     // of which some are free
	free []*hostvtable.LeafPage
	none atomic.Bool // all are in use, or there can be none
}

// LeafStack is a C stack that leaf methods are called on, by one goroutine at a time.
type LeafStack struct {
	page *hostvtable.LeafPage
	// Countdown and Measured are the caller's, to count calls.
	Countdown, Measured uint32
	// Timed has Elapsed be how long the next calls take in the library.
	Timed   bool
	Elapsed time.Duration
}

// NewLeafStack takes a stack, or returns nil where there is none: the system does not give its
// memory, all are in use, or faults could not be told from the program's own. owner has it
// until it is garbage, and keeps it alive during calls. Its memory then goes back to the
// process's others.
func NewLeafStack[T any](owner *T) *LeafStack {
	if leafStacks.none.Load() {
		return nil
	}
	page := takeLeafPage()
	if page == nil {
		return nil
	}
	runtime.AddCleanup(owner, giveBackLeafPage, page)
	return &LeafStack{page: page, Countdown: 1}
}

// LeafError is why this process calls leaf methods as others; nil while nothing has failed.
func LeafError() error {
	leafStacks.Lock()
	defer leafStacks.Unlock()
	return leafStacks.err
}

func takeLeafPage() *hostvtable.LeafPage {
	s := &leafStacks
	s.Lock()
	defer s.Unlock()
	if n := len(s.free); n > 0 {
		page := s.free[n-1]
		s.free = s.free[:n-1]
		return page
	}
	if s.low == 0 && s.err == nil {
		s.err = reserveLeafStacks()
	}
	if s.err != nil || s.made == maxLeafStacks {
		s.none.Store(true)
		return nil
	}
	top := s.low + uintptr(s.made+2)*hostvtable.LeafStride
	if err := unix.Mprotect(cmem.Memory(top-LeafStackSize, LeafStackSize), unix.PROT_READ|unix.PROT_WRITE); err != nil {
		s.err = fmt.Errorf("make the memory of a leaf method's stack usable: %w", err)
		s.none.Store(true)
		return nil
	}
	s.made++
	return (*hostvtable.LeafPage)(cmem.Pointer(top - hostvtable.LeafPageSize))
}

func giveBackLeafPage(page *hostvtable.LeafPage) {
	top := uintptr(unsafe.Pointer(page)) + hostvtable.LeafPageSize
	// Its memory is the system's again; where that fails, the next call has it.
	_ = unix.Madvise(cmem.Memory(top-LeafStackSize, LeafStackSize), giveBackMemory)
	s := &leafStacks
	s.Lock()
	defer s.Unlock()
	s.free = append(s.free, page)
	s.none.Store(s.err != nil)
}

// reserveLeafStacks makes the region, and has a fault in it end the process as the fault that
// it is.
func reserveLeafStacks() error {
	const size = (1 + maxLeafStacks) * hostvtable.LeafStride // the first place is for large frames of the next
	memory, err := unix.MmapPtr(-1, 0, nil, size+hostvtable.LeafStride, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve)
	if err != nil {
		return fmt.Errorf("reserve memory for the stacks of leaf methods: %w", err)
	}
	low := (uintptr(memory) + hostvtable.LeafStride - 1) &^ (hostvtable.LeafStride - 1)
	if err := catchLeafFaults(low, size); err != nil {
		return errors.Join(err, unix.MunmapPtr(memory, size+hostvtable.LeafStride))
	}
	hostvtable.UseLeafStacks(low, size)
	leafStacks.low = low
	return nil
}

// callLeaf and callLeafTable call a plugin's function as invoke and invokeTable do, on the
// stack whose page is given, and store its code in c. They do not enter the runtime.
//
//go:noescape
func callLeaf(fn uintptr, c *call, page *hostvtable.LeafPage)

//go:noescape
func callLeafTable(fn uintptr, c *call, page *hostvtable.LeafPage)

// CatchAgain installs the handlers of leaf methods' crashes again where they were taken away. Who
// makes many calls does so now and then.
func CatchAgain() { catchAgain() }

// CanLeaf reports whether leaf methods of the library can be called as such: on any thread,
// with alloc and free that are C's. It comes before the first of these calls.
func (l *Library) CanLeaf() bool {
	l.base = baseOf(l.image.entry.init, l.invoke)
	catchAgain()
	_, isPinned := l.turn.(*pinned)
	return !isPinned && !l.image.config.Track
}

// InvokeLeaf is Invoke for a leaf method (docs/abi.md, Leaf methods): on the stack s, by the
// goroutine that the caller runs on, which stays running Go for the runtime. asked is how often
// the method called its host, which it must not. label says what is called, where it crashes.
//
// Why that holds, in the runtime of Go 1.26 (to be looked at again when Go changes):
//
//   - The goroutine's own stack is not touched, and cannot move: its status stays _Grunning, and
//     a stack is scanned and shrunk only when its goroutine has stopped (suspendG, copystack).
//   - Garbage collection stops it by a signal (preemptone, preemptM). The handler looks whether
//     that is safe (doSigPreempt, isAsyncSafePoint): a pc that findfunc does not know, as C's is,
//     and one in assembly (FuncFlagAsm) are not, and so the signal is sent again and again until
//     the method has returned. Until then the world does not stop, which is the cost.
//   - Handlers run on the signal stack (sigaltstack of minitSignalStack; sigtrampgo and
//     adjustSignalStack look at the handler's own address), find g in the thread's storage, which
//     C leaves alone, and switch to gsignal by setg.
//   - The profiler (sigprof) asks the unwinder to be silent (unwindSilentErrors): at a pc of C's
//     initAt finds nothing and the sample is _ExternalCode; in callLeaf, which writes SP
//     (FuncFlagSPWrite), resolveInternal stops. The execution tracer takes stacks only where
//     goroutines stop, and with the profiler.
//   - A fault would have sighandler inject sigpanic on the C stack (canpanic sees _Grunning). So
//     the handler of leaf_signal_$GOARCH.s comes before the runtime's; see catchLeafFaults.
//   - sysmon (retake) preempts a goroutine that runs for 10 ms, by the same signal, and does not
//     hand its processor on: handoffp is for system calls.
//   - BP is saved by C, and on arm64 R19 to R28, R28 being g. The compiler restores R14 (g) and
//     X15 on amd64 after each call of assembly (ABI0).
//   - The entry points of the host table do not enter Go on a leaf stack: hostvtable/leaf.go.
//
// c and what it points at are on the heap, as for Invoke.
func (l *Library) InvokeLeaf(ctx context.Context, c *abi.Call, s *LeafStack, label string) (asked int, err error) {
	fn, table := l.invoke, uintptr(0)
	if l.tables.found != nil {
		table = l.table(c.TypeID)
		if fn == 0 && table == 0 {
			c.Code, c.ResultLength = abi.ErrInvalidType, 0
			return 0, nil
		}
	}
	s.page.Base = l.base
	s.page.Label, s.page.LabelLength = uintptr(unsafe.Pointer(unsafe.StringData(label))), uintptr(len(label))
	switch {
	case l.turn != nil:
		err = leafInTurn(ctx, l.turn, s, fn, table, c)
	case table == 0 && !s.Timed:
		callLeaf(fn, (*call)(c), s.page)
	default:
		s.invoke(fn, table, c)
	}
	runtime.KeepAlive(c)
	runtime.KeepAlive(label)
	if s.page.Idle() {
		return 0, err
	}
	return l.image.table.Deliver(s.page, label), err
}

// invoke makes the call through a table's function, or where that is 0 through fn.
func (s *LeafStack) invoke(fn, table uintptr, c *abi.Call) {
	switch {
	case s.Timed:
		begin := time.Now()
		s.Timed = false
		s.invoke(fn, table, c)
		s.Elapsed, s.Timed = time.Since(begin), true
	case table != 0:
		callLeafTable(table, (*call)(c), s.page)
	default:
		callLeaf(fn, (*call)(c), s.page)
	}
}

// leafInTurn is apart from InvokeLeaf so that only calls which wait for their turn pay for the
// closure.
func leafInTurn(ctx context.Context, t turn, s *LeafStack, fn, table uintptr, c *abi.Call) error {
	return t.do(ctx, func() { s.invoke(fn, table, c) })
}

// catchAgain sees to the handlers of crashes, if there are any. It is called when a library
// is opened and closed, and now and then.
func catchAgain() {
	leafStacks.Lock()
	defer leafStacks.Unlock()
	if leafStacks.low != 0 || crashAdvice != "" {
		keepCatching()
	}
}

// baseOf is where the library of functions lies, as the system's loader tells; 0 where it is not
// known. Any of the functions that is not 0 will do.
func baseOf(functions ...uintptr) uintptr {
	dladdr, err := purego.Dlsym(purego.RTLD_DEFAULT, "dladdr")
	if err != nil {
		return 0
	}
	// Dl_info of C: file and base of the library, name and address of the symbol.
	info := new(struct{ file, base, name, address uintptr })
	for _, fn := range functions {
		if fn == 0 {
			continue
		}
		if found, _, _ := purego.SyscallN(dladdr, fn, uintptr(unsafe.Pointer(info))); int32(uint32(found)) != 0 {
			return info.base
		}
	}
	return 0
}

// LeafRegion is where leaf stacks lie: size bytes from low on; 0 before the first.
func LeafRegion() (low, size uintptr) {
	leafStacks.Lock()
	defer leafStacks.Unlock()
	if leafStacks.low == 0 {
		return 0, 0
	}
	return leafStacks.low, (1 + maxLeafStacks) * hostvtable.LeafStride
}
