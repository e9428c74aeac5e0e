// Package cmem reads memory that belongs to C: addresses that plugins give, strings
// that end in NUL, blocks that may not be there. A wild pointer becomes an error and
// not the end of the process. It is the one home of such access, beside the packages
// that make calls.
package cmem

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// Pointer turns an address that came from C into a pointer. The memory must
// not belong to the Go heap.
func Pointer(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// Address is where data begins, as a plugin is told. The caller keeps data alive
// and on the heap for as long as the plugin may use it.
func Address(data []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
}

// TextBytes is the memory of a string. It must not be written to.
func TextBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// BytesText is the memory of data as a string, for as long as data does not
// change.
func BytesText(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// Memory is length bytes at addr, memory that does not belong to the Go heap.
func Memory(addr uintptr, length int) []byte {
	return unsafe.Slice((*byte)(Pointer(addr)), length)
}

// FaultError says that memory which a plugin pointed at cannot be read.
type FaultError struct {
	Addr uintptr // the address that the plugin gave
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("address %#x cannot be read", e.Addr)
}

// FirstPage is the size of the memory that no system maps: NULL and what is near it. An
// address below must not be in a Go pointer either.
const FirstPage = 4096

// askKernel is set by WithoutSignals.
var askKernel atomic.Bool

// WithoutSignals has the functions of this package ask the kernel for each page whether it can
// be read. It is for a process in which faults have the system's own effect: otherwise a
// function finds out by reading, and the Go runtime makes a panic of the signal. It comes
// before the reads that it is about.
//
// Memory that goes away between the question and the reading ends the process. On systems
// other than Linux it does nothing.
func WithoutSignals() { askKernel.Store(canAsk) }

// pageSize is the smallest that there is.
const pageSize = 4096

// check tells whether the pages of length bytes at addr can be read, where the kernel is to
// be asked.
func check(addr, length uintptr) error {
	if !askKernel.Load() {
		return nil
	}
	for at := addr; at-addr < length; at += pageSize - at%pageSize {
		if !readable(at) {
			return &FaultError{Addr: addr}
		}
	}
	return nil
}

// CString copies the NUL-terminated string at addr. It gives up with an error
// after limit bytes without a NUL, and with a [*FaultError] where the memory
// cannot be read, so that a wild pointer of a plugin is an error and not the
// end of the process. A null address is an error too.
func CString(addr uintptr, limit int) (s string, err error) {
	if addr < FirstPage {
		return "", &FaultError{Addr: addr}
	}
	defer guard(addr, &err)()
	// By address and not by pointer arithmetic, which the race detector's build
	// allows only inside of known objects.
	for n := range limit {
		at := addr + uintptr(n)
		if (n == 0 || at%pageSize == 0) && check(at, 1) != nil {
			return "", &FaultError{Addr: addr}
		}
		if *(*byte)(Pointer(at)) == 0 {
			return string(unsafe.Slice((*byte)(Pointer(addr)), n)), nil
		}
	}
	return "", fmt.Errorf("no NUL within %d bytes of address %#x", limit, addr)
}

// Copy copies the memory at addr to size bytes at to, which are Go's. Where it cannot be read,
// the error is a [*FaultError].
func Copy(to unsafe.Pointer, addr, size uintptr) (err error) {
	if addr < FirstPage || addr+size < addr {
		return &FaultError{Addr: addr}
	}
	if err := check(addr, size); err != nil {
		return err
	}
	defer guard(addr, &err)()
	copy(unsafe.Slice((*byte)(to), size), unsafe.Slice((*byte)(Pointer(addr)), size))
	return nil
}

// Probe tries to read the first and the last of length bytes at addr.
func Probe(addr uintptr, length int) (err error) {
	if addr < FirstPage {
		return &FaultError{Addr: addr}
	}
	if length == 0 {
		return nil
	}
	last := addr + uintptr(length) - 1
	if check(addr, 1) != nil || check(last, 1) != nil {
		return &FaultError{Addr: addr}
	}
	defer guard(addr, &err)()
	probed.Store(uint32(*(*byte)(Pointer(addr))) + uint32(*(*byte)(Pointer(last))))
	return nil
}

// probed keeps the reads of Probe from being left out.
var probed atomic.Uint32

// guard turns faults while memory at addr is read into an error in *err. Use
// it as `defer guard(addr, &err)()`.
func guard(addr uintptr, err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(runtime.Error); !ok {
			panic(r)
		}
		*err = &FaultError{Addr: addr}
	}
}
