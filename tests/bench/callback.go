package main

/*
#cgo CFLAGS: -O2 -I${SRCDIR}/../../abi/include
#include <stddef.h>
#include <stdint.h>

int32_t ask_host(uintptr_t host, int n);
int32_t ask_function(uintptr_t invoke, int n);
int32_t ask_cgo(int n);
*/
import "C"

import (
	"context"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// idleHost answers at once.
type idleHost struct{}

func (idleHost) Resolve(context.Context, string, string) (typeID, methodID uint32, code abi.Code) {
	return 0, 0, abi.OK
}

func (idleHost) Invoke(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
	c.Code, c.ResultLength = abi.OK, 0
}

//export benchInvoke
func benchInvoke(typeID, method, instance C.uint32_t, args C.uintptr_t, argsLength C.size_t, result, resultLength C.uintptr_t) C.int32_t {
	answerNothing(uintptr(resultLength))
	return 0
}

func answerNothing(resultLength uintptr) {
	*(*uintptr)(*(*unsafe.Pointer)(unsafe.Pointer(&resultLength))) = 0
}

// addCallbacks measures the way from C to Go and back, with the seven arguments of invoke:
// one crossing to C, and as many from there as the benchmark asks for.
func addCallbacks(t *table, _, library string) (end func(), err error) {
	host, err := hostvtable.For(library, false)
	if err != nil {
		return nil, err
	}
	calls, err := host.CallsAddr()
	if err != nil {
		return nil, err
	}
	stop := host.Serve(idleHost{})
	callback := purego.NewCallback(func(_, _, _, _, _, _, resultLength uintptr) uintptr {
		answerNothing(resultLength)
		return 0
	})
	for _, row := range []struct {
		via string
		ask func(n C.int) C.int32_t
	}{
		{viaEntry, func(n C.int) C.int32_t { return C.ask_host(C.uintptr_t(calls), n) }},
		{viaExport, func(n C.int) C.int32_t { return C.ask_cgo(n) }},
		{viaCallback, func(n C.int) C.int32_t { return C.ask_function(C.uintptr_t(callback), n) }},
	} {
		t.add(workAsk, row.via, func(b *testing.B) {
			defer hostvtable.Enter(context.Background()).Leave()
			if row.ask(C.int(b.N)) != 0 {
				b.Fatal("a call failed")
			}
		})
	}
	return stop, nil
}
