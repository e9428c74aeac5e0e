package abi

import "fmt"

// Version is the ABI version of BID-1, which nyash_plugin_abi returns.
const Version uint32 = 1

// The four symbols that a plugin exports.
const (
	SymbolABI      = "nyash_plugin_abi"
	SymbolInit     = "nyash_plugin_init"
	SymbolInvoke   = "nyash_plugin_invoke"
	SymbolShutdown = "nyash_plugin_shutdown"
)

// SymbolInvokeBatch is the optional fifth symbol: several calls in one crossing
// (docs/abi.md, "Batches").
const SymbolInvokeBatch = "nyash_plugin_invoke_batch"

// SymbolConfig is the optional function that returns the library's description of its
// boxes as text (docs/abi.md, "Self-description").
const SymbolConfig = "nyash_plugin_config"

// SymbolConnect is the optional function that is given the functions by which a library
// calls its host, a [HostCalls] (docs/abi.md, "Calling the host").
const SymbolConnect = "nyash_plugin_connect"

// HostCallsVersion is the version of [HostCalls].
const HostCallsVersion uint32 = 1

// A library may export a table for a box, a NyashTypeBox, as a data symbol of this prefix
// and the box's name (docs/abi.md, "TypeBox tables").
const (
	SymbolTypeBoxPrefix        = "nyash_typebox_"
	TypeBoxTag          uint32 = 0x54594258
	TypeBoxVersion      uint16 = 1
)

// Method ids with a fixed meaning in every box.
const (
	// MethodBirth creates an instance. It is called with instance 0.
	MethodBirth uint32 = 0
	// MethodFini finalises an instance.
	MethodFini uint32 = 4294967295
)

// Names of the methods with a fixed id.
const (
	NameBirth = "birth"
	NameFini  = "fini"
)

// LogLevel is the level that a plugin gives to the log entry of the host
// table. Values other than the four constants are legal on the wire.
type LogLevel int32

// The levels that the specification names.
const (
	LogDebug LogLevel = 0
	LogInfo  LogLevel = 1
	LogWarn  LogLevel = 2
	LogError LogLevel = 3
)

// HostVtable mirrors NyashHostVtable: four C function pointers.
type HostVtable struct {
	Alloc uintptr // uint8_t* (*)(size_t)
	Free  uintptr // void (*)(uint8_t*)
	Wake  uintptr // void (*)(uint64_t)
	Log   uintptr // void (*)(int32_t, const char*)
}

// HostCalls mirrors NyashHostCalls: its size, its version, and two C function pointers.
// Fields are only ever added behind.
type HostCalls struct {
	StructSize uint32
	Version    uint32
	Resolve    uintptr // int32_t (*)(const char *box, const char *method, uint32_t *type_id, uint32_t *method_id)
	Invoke     uintptr // int32_t (*)(type_id, method_id, instance_id, args, args_len, result, result_len)
}

// MethodInfo mirrors NyashMethodInfo. Name points to memory of the plugin; see
// [PluginInfo].
type MethodInfo struct {
	MethodID  uint32
	Name      uintptr // const char*
	Signature uint32  // the hash of the method's declaration, or 0; see [Method]
}

// PluginInfo mirrors NyashPluginInfo. Its pointers lead to memory of the plugin,
// which a host reads when nyash_plugin_init returns and never again.
type PluginInfo struct {
	TypeID      uint32
	TypeName    uintptr // const char*
	MethodCount uintptr // size_t
	Methods     uintptr // const NyashMethodInfo*
}

// TypeBox mirrors NyashTypeBox. StructSize tells how much of it the library has.
type TypeBox struct {
	Tag          uint32
	Version      uint16
	StructSize   uint16
	Name         uintptr // const char*
	Resolve      uintptr // uint32_t (*)(const char *method_name); may be NULL
	InvokeID     uintptr // int32_t (*)(instance_id, method_id, args, args_len, result, result_len)
	Capabilities uint64
}

// Description is what a plugin said of itself in nyash_plugin_config and
// nyash_plugin_init, copied into Go memory. The zero Description is of a plugin that said
// nothing.
type Description struct {
	TypeID   uint32
	TypeName string
	Methods  []Method
	// Config is what nyash_plugin_config returned, unparsed: UTF-8 of at most 1 MiB. It
	// is nil where the library does not export that function.
	Config *string
	// Tables are the TypeBox tables that were found for the boxes which the host asked
	// for, in the host's order.
	Tables []Table
	// Connects is true where the library exports nyash_plugin_connect: it may call its host.
	Connects bool
	// Generation is that of the library's functions.
	Generation Generation
}

// Generation is one of the ways in which plugins have let themselves be called
// (docs/abi.md, "Generations").
type Generation uint8

const (
	// FourSymbols: nyash_plugin_abi, _init, _invoke and _shutdown.
	FourSymbols Generation = iota
	// InvokeOnly: nyash_plugin_invoke, without some of the others.
	InvokeOnly
	// TypeBoxes: a table for each box. A library of this generation has no
	// nyash_plugin_invoke.
	TypeBoxes
)

// String is the generation for people.
func (g Generation) String() string {
	switch g {
	case FourSymbols:
		return "four symbols"
	case InvokeOnly:
		return "invoke only"
	case TypeBoxes:
		return "TypeBox tables"
	}
	return fmt.Sprintf("generation %d", uint8(g))
}

// Table is a TypeBox table that a library has for a box.
type Table struct {
	Box     string
	Methods []Method // those that resolve knows of the ones that the host asked for
	// Err says why the table cannot be used; empty where it can.
	Err string
}

// Method is one method of a [Description].
type Method struct {
	ID   uint32
	Name string
	// Signature is the FNV-1a-32 hash of the method's declaration (docs/abi.md,
	// "Signatures"); 0 where the library gives none.
	Signature uint32
}
