package main

import (
	"encoding/binary"
	"runtime"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

func addPurego(t *table, _, library string) (end func(), err error) {
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	fn, err := purego.Dlsym(handle, "nyash_plugin_invoke")
	if err != nil {
		return nil, err
	}
	t.add(workAdd, viaSyscall, func(b *testing.B) {
		args, result, n := addMessage(), make([]byte, 64), new(uintptr)
		for b.Loop() {
			*n = uintptr(len(result))
			code, _, _ := purego.SyscallN(fn, typeID, 1, 1, uintptr(unsafe.Pointer(&args[0])), uintptr(len(args)), uintptr(unsafe.Pointer(&result[0])), uintptr(unsafe.Pointer(n)))
			if int32(code) != 0 {
				b.Fatal("the call failed")
			}
		}
		runtime.KeepAlive(args)
		check(b, int64(binary.LittleEndian.Uint64(result[sumAt:])), 3000)
	})
	var invoke func(typ, method, instance uint32, args *byte, n uintptr, result *byte, length *uintptr) int32
	purego.RegisterFunc(&invoke, fn)
	t.add(workAdd, viaRegister, func(b *testing.B) {
		args, result, n := addMessage(), make([]byte, 64), new(uintptr)
		for b.Loop() {
			*n = uintptr(len(result))
			if invoke(typeID, 1, 1, &args[0], uintptr(len(args)), &result[0], n) != 0 {
				b.Fatal("the call failed")
			}
		}
		check(b, int64(binary.LittleEndian.Uint64(result[sumAt:])), 3000)
	})
	for work, size := range echoes {
		t.add(work, viaSyscall, func(b *testing.B) {
			data, dst, args, result, n := make([]byte, size), make([]byte, size), echoMessage(size), make([]byte, size+64), new(uintptr)
			for b.Loop() {
				copy(args[sumAt:], data)
				*n = uintptr(len(result))
				code, _, _ := purego.SyscallN(fn, typeID, 2, 1, uintptr(unsafe.Pointer(&args[0])), uintptr(len(args)), uintptr(unsafe.Pointer(&result[0])), uintptr(unsafe.Pointer(n)))
				if int32(code) != 0 {
					b.Fatal("the call failed")
				}
				copy(dst, result[sumAt:*n])
			}
		})
		t.add(work, viaRegister, func(b *testing.B) {
			data, dst, args, result, n := make([]byte, size), make([]byte, size), echoMessage(size), make([]byte, size+64), new(uintptr)
			for b.Loop() {
				copy(args[sumAt:], data)
				*n = uintptr(len(result))
				if invoke(typeID, 2, 1, &args[0], uintptr(len(args)), &result[0], n) != 0 {
					b.Fatal("the call failed")
				}
				copy(dst, result[sumAt:*n])
			}
		})
	}
	return nil, nil
}
