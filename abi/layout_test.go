package abi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The facts below are written as testdata/layout.c prints them.

func TestStructsMatchC(t *testing.T) {
	var (
		vtable abi.HostVtable
		method abi.MethodInfo
		info   abi.PluginInfo
		call   abi.Call
		table  abi.TypeBox
		calls  abi.HostCalls
	)
	size := func(n uintptr) string { return fmt.Sprint(n) }
	field := func(offset, size uintptr) string { return fmt.Sprintf("%d %d", offset, size) }
	want := map[string]string{
		"sizeof NyashHostVtable":      size(unsafe.Sizeof(vtable)),
		"field NyashHostVtable.alloc": field(unsafe.Offsetof(vtable.Alloc), unsafe.Sizeof(vtable.Alloc)),
		"field NyashHostVtable.free":  field(unsafe.Offsetof(vtable.Free), unsafe.Sizeof(vtable.Free)),
		"field NyashHostVtable.wake":  field(unsafe.Offsetof(vtable.Wake), unsafe.Sizeof(vtable.Wake)),
		"field NyashHostVtable.log":   field(unsafe.Offsetof(vtable.Log), unsafe.Sizeof(vtable.Log)),

		"sizeof NyashMethodInfo":          size(unsafe.Sizeof(method)),
		"field NyashMethodInfo.method_id": field(unsafe.Offsetof(method.MethodID), unsafe.Sizeof(method.MethodID)),
		"field NyashMethodInfo.name":      field(unsafe.Offsetof(method.Name), unsafe.Sizeof(method.Name)),
		"field NyashMethodInfo.signature": field(unsafe.Offsetof(method.Signature), unsafe.Sizeof(method.Signature)),

		"sizeof NyashPluginInfo":             size(unsafe.Sizeof(info)),
		"field NyashPluginInfo.type_id":      field(unsafe.Offsetof(info.TypeID), unsafe.Sizeof(info.TypeID)),
		"field NyashPluginInfo.type_name":    field(unsafe.Offsetof(info.TypeName), unsafe.Sizeof(info.TypeName)),
		"field NyashPluginInfo.method_count": field(unsafe.Offsetof(info.MethodCount), unsafe.Sizeof(info.MethodCount)),
		"field NyashPluginInfo.methods":      field(unsafe.Offsetof(info.Methods), unsafe.Sizeof(info.Methods)),

		"sizeof NyashCall":            size(unsafe.Sizeof(call)),
		"field NyashCall.type_id":     field(unsafe.Offsetof(call.TypeID), unsafe.Sizeof(call.TypeID)),
		"field NyashCall.method_id":   field(unsafe.Offsetof(call.Method), unsafe.Sizeof(call.Method)),
		"field NyashCall.instance_id": field(unsafe.Offsetof(call.Instance), unsafe.Sizeof(call.Instance)),
		"field NyashCall.code":        field(unsafe.Offsetof(call.Code), unsafe.Sizeof(call.Code)),
		"field NyashCall.args":        field(unsafe.Offsetof(call.Args), unsafe.Sizeof(call.Args)),
		"field NyashCall.args_len":    field(unsafe.Offsetof(call.ArgsLength), unsafe.Sizeof(call.ArgsLength)),
		"field NyashCall.result":      field(unsafe.Offsetof(call.Result), unsafe.Sizeof(call.Result)),
		"field NyashCall.result_len":  field(unsafe.Offsetof(call.ResultLength), unsafe.Sizeof(call.ResultLength)),

		"sizeof NyashTypeBox":             size(unsafe.Sizeof(table)),
		"field NyashTypeBox.abi_tag":      field(unsafe.Offsetof(table.Tag), unsafe.Sizeof(table.Tag)),
		"field NyashTypeBox.version":      field(unsafe.Offsetof(table.Version), unsafe.Sizeof(table.Version)),
		"field NyashTypeBox.struct_size":  field(unsafe.Offsetof(table.StructSize), unsafe.Sizeof(table.StructSize)),
		"field NyashTypeBox.name":         field(unsafe.Offsetof(table.Name), unsafe.Sizeof(table.Name)),
		"field NyashTypeBox.resolve":      field(unsafe.Offsetof(table.Resolve), unsafe.Sizeof(table.Resolve)),
		"field NyashTypeBox.invoke_id":    field(unsafe.Offsetof(table.InvokeID), unsafe.Sizeof(table.InvokeID)),
		"field NyashTypeBox.capabilities": field(unsafe.Offsetof(table.Capabilities), unsafe.Sizeof(table.Capabilities)),

		"sizeof NyashHostCalls":            size(unsafe.Sizeof(calls)),
		"field NyashHostCalls.struct_size": field(unsafe.Offsetof(calls.StructSize), unsafe.Sizeof(calls.StructSize)),
		"field NyashHostCalls.version":     field(unsafe.Offsetof(calls.Version), unsafe.Sizeof(calls.Version)),
		"field NyashHostCalls.resolve":     field(unsafe.Offsetof(calls.Resolve), unsafe.Sizeof(calls.Resolve)),
		"field NyashHostCalls.invoke":      field(unsafe.Offsetof(calls.Invoke), unsafe.Sizeof(calls.Invoke)),
	}
	got := layout(t)
	for fact := range got {
		if strings.HasPrefix(fact, "value ") {
			delete(got, fact)
		}
	}
	assert.Equal(t, want, got)
}

func TestConstantsMatchC(t *testing.T) {
	want := map[string]int64{
		"NYASH_ABI_VERSION":        int64(abi.Version),
		"NYASH_HOST_CALLS_VERSION": int64(abi.HostCallsVersion),
		"NYASH_METHOD_BIRTH":       int64(abi.MethodBirth),
		"NYASH_METHOD_FINI":        int64(abi.MethodFini),

		"NYASH_TYPEBOX_TAG":     int64(abi.TypeBoxTag),
		"NYASH_TYPEBOX_VERSION": int64(abi.TypeBoxVersion),

		"NYASH_OK":               int64(abi.OK),
		"NYASH_E_SHORT_BUFFER":   int64(abi.ErrShortBuffer),
		"NYASH_E_INVALID_TYPE":   int64(abi.ErrInvalidType),
		"NYASH_E_INVALID_METHOD": int64(abi.ErrInvalidMethod),
		"NYASH_E_INVALID_ARGS":   int64(abi.ErrInvalidArgs),
		"NYASH_E_PLUGIN":         int64(abi.ErrPlugin),
		"NYASH_E_OUT_OF_MEMORY":  int64(abi.ErrOutOfMemory),
		"NYASH_E_INVALID_UTF8":   int64(abi.ErrInvalidUTF8),
		"NYASH_E_INVALID_HANDLE": int64(abi.ErrInvalidHandle),
		"NYASH_E_VERSION":        int64(abi.ErrVersionMismatch),
		"NYASH_E_NOT_PERMITTED":  int64(abi.ErrNotPermitted),

		"NYASH_LOG_DEBUG": int64(abi.LogDebug),
		"NYASH_LOG_INFO":  int64(abi.LogInfo),
		"NYASH_LOG_WARN":  int64(abi.LogWarn),
		"NYASH_LOG_ERROR": int64(abi.LogError),

		"NYASH_TLV_VERSION":     tlv.Version,
		"NYASH_TLV_HEADER_SIZE": tlv.HeaderSize,
		"NYASH_TLV_ENTRY_SIZE":  tlv.EntryHeaderSize,
		"NYASH_TLV_MAX_PAYLOAD": tlv.MaxPayload,

		"NYASH_TAG_BOOL":   int64(tlv.TagBool),
		"NYASH_TAG_I32":    int64(tlv.TagInt32),
		"NYASH_TAG_I64":    int64(tlv.TagInt64),
		"NYASH_TAG_F32":    int64(tlv.TagFloat32),
		"NYASH_TAG_F64":    int64(tlv.TagFloat64),
		"NYASH_TAG_STRING": int64(tlv.TagString),
		"NYASH_TAG_BYTES":  int64(tlv.TagBytes),
		"NYASH_TAG_HANDLE": int64(tlv.TagHandle),
		"NYASH_TAG_VOID":   int64(tlv.TagVoid),
		"NYASH_TAG_BLOB":   int64(tlv.TagBlob),
	}
	got := layout(t)
	for name, value := range want {
		assert.Equal(t, fmt.Sprint(value), got["value "+name], name)
	}

	// No constant of the header may be left out above.
	defined := regexp.MustCompile(`(?m)^(?:#define |    )(NYASH_[A-Z0-9_]+) (?:= )?[^\s]`)
	for _, match := range defined.FindAllStringSubmatch(header(t), -1) {
		if name := match[1]; name != "NYASH_EXPORT" && name != "NYASH_DEFINE_INVOKE_BATCH" {
			assert.Contains(t, want, name, "%s is in nyash_plugin.h and has no counterpart in this test", name)
		}
	}
}

func TestSymbolsMatchC(t *testing.T) {
	var declared []string
	for _, match := range regexp.MustCompile(`(?m)^NYASH_EXPORT \w+ (\w+)\(`).FindAllStringSubmatch(header(t), -1) {
		declared = append(declared, match[1])
	}
	assert.Equal(t, []string{abi.SymbolABI, abi.SymbolInit, abi.SymbolInvoke, abi.SymbolShutdown, abi.SymbolInvokeBatch, abi.SymbolConnect}, declared)
}

// layout compiles testdata/layout.c, runs it, and returns the facts that it
// prints: what each is about, and its numbers.
func layout(t *testing.T) map[string]string {
	t.Helper()
	program := ccbuild.Program(t, "testdata/layout.c", "-std=c99", "-Wpedantic")
	facts := make(map[string]string)
	for line := range strings.Lines(ccbuild.Run(t, program)) {
		words := strings.Fields(line)
		require.GreaterOrEqual(t, len(words), 3, "line of layout.c: %q", line)
		facts[words[0]+" "+words[1]] = strings.Join(words[2:], " ")
	}
	return facts
}

func header(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("include", "nyash_plugin.h"))
	require.NoError(t, err)
	return string(text)
}
