package hostvtable

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// maxName bounds the names that resolve is asked for, in bytes with their NUL.
const maxName = contract.MaxName + 1

// hostCalls has one NyashHostCalls for each slot, in memory that is neither moved nor
// freed. Those of tables that no library connects through stay empty.
var hostCalls [slots]abi.HostCalls

// CallsAddr is the address of the NyashHostCalls to hand to nyash_plugin_connect, which
// lives as long as the process and is the same for each load of the library. A table that
// several files share has none: the host could not tell which of them asks. On Windows,
// and on processors without entry points in assembly, fewer files get one than get a table
// of their own.
func (t *Table) CallsAddr() (uintptr, error) {
	tables.Lock()
	defer tables.Unlock()
	h := &hostCalls[t.slot]
	if h.StructSize != 0 {
		return uintptr(unsafe.Pointer(h)), nil
	}
	switch {
	case t.file == "":
		return 0, fmt.Errorf("this process has loaded %d different libraries, and what comes after them cannot call its host; isolate it", MaxTables)
	case tables.connected == canConnect:
		return 0, fmt.Errorf("%d different libraries of this process call their host, and it has no entry points for more; isolate this one", canConnect)
	}
	tables.connected++
	*h = abi.HostCalls{
		StructSize: uint32(unsafe.Sizeof(*h)),
		Version:    abi.HostCallsVersion,
		Resolve:    entryPoint(t.slot, kindResolve),
		Invoke:     entryPoint(t.slot, kindInvoke),
	}
	return uintptr(unsafe.Pointer(h)), nil
}

// Serve has c answer what the library asks of its host, until the returned function is
// called, which does not wait for calls that are under way. Before and after, the library is
// answered that it is closed ([abi.ErrPlugin]). One answers at a time: while there is one,
// Serve changes nothing and returns nil.
func (t *Table) Serve(c Calls) (stop func()) {
	calls := &c
	if !t.calls.CompareAndSwap(nil, calls) {
		return nil
	}
	return func() { t.calls.CompareAndSwap(calls, nil) }
}

// Unanswered counts what the library has asked while nobody answered: before it was
// connected, or when it was closed.
func (t *Table) Unanswered() uint64 { return t.unanswered.Load() }

// closedMessage answers a library that nobody serves.
const closedMessage = "the library is closed: its host answers no more calls"

// resolve is the C function resolve(box, method, type_id, method_id).
func (t *Table) resolve(f *frame) abi.Code {
	typeIDAt, methodIDAt := f.args[2], f.args[3]
	if typeIDAt < cmem.FirstPage || methodIDAt < cmem.FirstPage {
		return abi.ErrInvalidArgs
	}
	box, err := cmem.CString(f.args[0], maxName)
	if err != nil {
		return abi.ErrInvalidArgs
	}
	method, err := cmem.CString(f.args[1], maxName)
	if err != nil {
		return abi.ErrInvalidArgs
	}
	calls := t.calls.Load()
	if calls == nil {
		t.unanswered.Add(1)
		return abi.ErrPlugin
	}
	typeID, methodID, code := (*calls).Resolve(Current(), box, method)
	if code == abi.OK {
		*(*uint32)(cmem.Pointer(typeIDAt)) = typeID
		*(*uint32)(cmem.Pointer(methodIDAt)) = methodID
	}
	return code
}

// words is an abi.Call whose pointers are numbers. It can be filled in where there were
// other bytes before, and hold what is no pointer at all.
type words struct {
	TypeID       uint32
	Method       uint32
	Instance     uint32
	Code         abi.Code
	Args         uintptr
	ArgsLength   uintptr
	Result       uintptr
	ResultLength uintptr
}

// The two have one layout.
var (
	_ [unsafe.Sizeof(abi.Call{}) - unsafe.Sizeof(words{})]struct{}
	_ [unsafe.Sizeof(words{}) - unsafe.Sizeof(abi.Call{})]struct{}
	_ [unsafe.Offsetof(abi.Call{}.ResultLength) - unsafe.Offsetof(words{}.ResultLength)]struct{}
	_ [unsafe.Offsetof(words{}.ResultLength) - unsafe.Offsetof(abi.Call{}.ResultLength)]struct{}
)

// invoke is the C function invoke(type_id, method_id, instance_id, args, args_len, result,
// result_len).
func (t *Table) invoke(f *frame) abi.Code {
	lengthAt := f.args[6]
	if lengthAt < cmem.FirstPage {
		return abi.ErrInvalidArgs
	}
	length := (*uintptr)(cmem.Pointer(lengthAt))
	// Field by field: a copy of the whole would wait for each of its parts to be stored.
	w := &f.call
	w.TypeID, w.Method, w.Instance, w.Code = uint32(f.args[0]), uint32(f.args[1]), uint32(f.args[2]), abi.OK
	w.Args, w.ArgsLength, w.Result, w.ResultLength = f.args[3], f.args[4], f.args[5], *length
	if problem := w.normalise(); problem != "" {
		return f.refuse(abi.ErrInvalidArgs, problem)
	}
	calls := t.calls.Load()
	if calls == nil {
		t.unanswered.Add(1)
		return f.refuse(abi.ErrPlugin, closedMessage)
	}
	// The frame outlives this function, and Go's stacks do not hold it.
	c := (*abi.Call)(unsafe.Pointer(&f.call))
	(*calls).Invoke(Current(), c, t)
	*length = c.ResultLength
	return c.Code
}

// normalise makes the addresses ones that may be in Go's pointers. What languages pass for
// memory of no bytes (Rust: 1) is none, and the runtime stops the program that holds it.
func (w *words) normalise() (problem string) {
	if w.ResultLength == 0 {
		w.Result = 0
	}
	if w.ArgsLength == 0 {
		w.Args = 0
	}
	switch {
	case !isMemory(w.Result, w.ResultLength):
		// Nothing can be written there: no message either.
		w.Result, w.ResultLength = 0, 0
		return "result is NULL, or longer than memory is"
	case !isMemory(w.Args, w.ArgsLength):
		return "args is NULL, or longer than memory is"
	}
	return ""
}

// isMemory tells whether there can be length bytes at addr.
func isMemory(addr, length uintptr) bool {
	return length == 0 || addr >= cmem.FirstPage && length <= math.MaxInt && addr <= math.MaxUint-length
}

// refuse answers an invoke with an error of the host's own. The result buffer is looked up
// again, because Calls may have changed the call.
func (f *frame) refuse(code abi.Code, message string) abi.Code {
	if f.args[6] < cmem.FirstPage {
		return code
	}
	length := (*uintptr)(cmem.Pointer(f.args[6]))
	w := words{Result: f.args[5], ResultLength: *length}
	w.normalise()
	*length = uintptr(contract.WriteMessage(cmem.Memory(w.Result, int(w.ResultLength)), message))
	return code
}
