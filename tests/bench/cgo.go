package main

/*
#cgo CFLAGS: -O2 -I${SRCDIR}/../../abi/include
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "nyash_plugin.h"

typedef uint32_t (*abi_fn)(void);
typedef int32_t (*init_fn)(const NyashHostVtable *, NyashPluginInfo *);
typedef int32_t (*invoke_fn)(uint32_t, uint32_t, uint32_t, const uint8_t *, size_t, uint8_t *, size_t *);

static void host_free(uint8_t *p) { free(p); }
static uint8_t *host_alloc(size_t n) { return malloc(n); }
static void host_wake(uint64_t handle) { (void)handle; }
static void host_log(int32_t level, const char *msg) { (void)level; (void)msg; }
static const NyashHostVtable vtable = {host_alloc, host_free, host_wake, host_log};

// Loads a library as a host in C would, and returns nyash_plugin_invoke.
static void *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return NULL;
    abi_fn abi = (abi_fn)dlsym(library, "nyash_plugin_abi");
    init_fn init = (init_fn)dlsym(library, "nyash_plugin_init");
    void *invoke = dlsym(library, "nyash_plugin_invoke");
    void *shutdown = dlsym(library, "nyash_plugin_shutdown");
    NyashPluginInfo info = {0};
    if (abi == NULL || init == NULL || shutdown == NULL || abi() != NYASH_ABI_VERSION || init(&vtable, &info) != 0) return NULL;
    return invoke;
}

// Addresses as numbers: cgo then checks nothing, which is the barest call that
// there is.
static int32_t invoke(uintptr_t fn, uint32_t type, uint32_t method, uintptr_t args, size_t args_len, uintptr_t result, uintptr_t result_len) {
    return ((invoke_fn)fn)(type, method, 1, (const uint8_t *)args, args_len, (uint8_t *)result, (size_t *)result_len);
}

static int32_t loop(void *fn, uint32_t type, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t capacity, int n) {
    int32_t bad = 0;
    for (int i = 0; i < n; i++) {
        size_t result_len = capacity;
        bad |= ((invoke_fn)fn)(type, method, 1, args, args_len, result, &result_len);
    }
    return bad;
}

// Echoes a blob and frees what came back.
static int32_t loop_blob(void *fn, uint32_t type, uint32_t method, const uint8_t *data, size_t size, int n) {
    uint8_t args[24] = {1, 0, 1, 0, NYASH_TAG_BLOB, 0, 16, 0}, result[64];
    int32_t bad = 0;
    *(uint64_t *)(args + 8) = (uintptr_t)data;
    *(uint64_t *)(args + 16) = size;
    for (int i = 0; i < n; i++) {
        size_t result_len = sizeof result;
        bad |= ((invoke_fn)fn)(type, method, 1, args, sizeof args, result, &result_len);
        free((void *)(uintptr_t)*(uint64_t *)(result + 8));
    }
    return bad;
}
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"testing"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// loadInC loads a library by C alone.
func loadInC(path string) (unsafe.Pointer, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	fn := C.load(name)
	if fn == nil {
		return nil, fmt.Errorf("C cannot load %s", path)
	}
	return fn, nil
}

// addMessage is a ready message with the arguments of add.
func addMessage() []byte {
	msg, err := tlv.Encode(tlv.Int64(1000), tlv.Int64(2000))
	exitOn(err)
	return msg
}

const sumAt = tlv.HeaderSize + tlv.EntryHeaderSize

// lent is what C holds the addresses of: on the heap, so that it stays in place.
var lent []any

func lend(memory ...any) { lent = memory }

func address(b []byte) C.uintptr_t { return C.uintptr_t(uintptr(unsafe.Pointer(&b[0]))) }

func addCgo(t *table, _, library string) (end func(), err error) {
	fn, err := loadInC(library)
	if err != nil {
		return nil, err
	}
	t.add(workAdd, viaCgo, func(b *testing.B) {
		args, result := addMessage(), make([]byte, 64)
		n := new(C.size_t)
		lend(args, result, n)
		for b.Loop() {
			*n = C.size_t(len(result))
			if C.invoke(C.uintptr_t(uintptr(fn)), typeID, 1, address(args), C.size_t(len(args)), address(result), C.uintptr_t(uintptr(unsafe.Pointer(n)))) != 0 {
				b.Fatal("the call failed")
			}
		}
		check(b, int64(binary.LittleEndian.Uint64(result[sumAt:])), 3000)
	})
	t.add(workAdd, viaLoop, func(b *testing.B) {
		args, result := addMessage(), make([]byte, 64)
		// One crossing for all of them.
		if C.loop(fn, typeID, 1, (*C.uint8_t)(unsafe.Pointer(&args[0])), C.size_t(len(args)), (*C.uint8_t)(unsafe.Pointer(&result[0])), C.size_t(len(result)), C.int(b.N)) != 0 {
			b.Fatal("a call failed")
		}
	})
	for work, size := range echoes {
		// What any caller has to do: the bytes go into a message, and out of one.
		t.add(work, viaCgo, func(b *testing.B) {
			data, dst := make([]byte, size), make([]byte, size)
			args := echoMessage(size)
			result := make([]byte, len(args))
			n := new(C.size_t)
			lend(args, result, n)
			for b.Loop() {
				copy(args[sumAt:], data)
				*n = C.size_t(len(result))
				if C.invoke(C.uintptr_t(uintptr(fn)), typeID, 2, address(args), C.size_t(len(args)), address(result), C.uintptr_t(uintptr(unsafe.Pointer(n)))) != 0 {
					b.Fatal("the call failed")
				}
				copy(dst, result[sumAt:])
			}
		})
	}
	t.add(workBlob, viaLoop, func(b *testing.B) {
		data := make([]byte, 1<<20)
		if C.loop_blob(fn, typeID, 4, (*C.uint8_t)(unsafe.Pointer(&data[0])), C.size_t(len(data)), C.int(b.N)) != 0 {
			b.Fatal("a call failed")
		}
	})
	return nil, nil
}

// echoMessage is a message with so many bytes.
func echoMessage(size int) []byte {
	msg, err := tlv.Encode(tlv.Bytes(make([]byte, size)))
	exitOn(err)
	return msg
}
