package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// hostModule is the name that a module imports its host's functions from.
const hostModule = "nyash"

// imported is the type of a function that a module may import; no params stand for any type,
// which the engine checks.
type imported struct{ params, results []api.ValueType }

// hostFunctions are what the host offers. The stack has the arguments and takes the result; the
// upper half of a word with an i32 may hold anything.
var hostFunctions = map[string]struct {
	imported
	call func(m *Module, stack []uint64)
}{
	"log":     {imported{types(i32, i32), nil}, (*Module).log},
	"wake":    {imported{types(i64), nil}, (*Module).wake},
	"resolve": {imported{types(i32, i32, i32, i32), types(i32)}, (*Module).resolve},
	"invoke":  {imported{types(i32, i32, i32, i32, i32, i32, i32), types(i32)}, (*Module).invokeHost},
}

// imports are the functions that there are, by module and name. They are found when a module is
// checked: an engine is made for that, which a program with other plugins does without.
var imports = sync.OnceValue(allImports)

func allImports() map[string]map[string]imported {
	own := make(map[string]imported)
	for name, f := range hostFunctions {
		own[name] = f.imported
	}
	system := make(map[string]imported)
	runtime := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigInterpreter())
	defer func() { _ = runtime.Close(context.Background()) }()
	if m, err := wasi_snapshot_preview1.NewBuilder(runtime).Compile(context.Background()); err == nil {
		for name, f := range m.ExportedFunctions() {
			system[name] = imported{append(types(), f.ParamTypes()...), f.ResultTypes()}
		}
	}
	return map[string]map[string]imported{hostModule: own, wasi_snapshot_preview1.ModuleName: system}
}

// exportHost offers the host's functions to the modules of a runtime. A function finds the
// module that calls it in the context of the call.
func exportHost(ctx context.Context, runtime wazero.Runtime) error {
	b := runtime.NewHostModuleBuilder(hostModule)
	for name, f := range hostFunctions {
		call := f.call
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			call(ctx.(*moduleContext).module, stack)
		}), f.params, f.results).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// log is log(level, msg). A message that is not there is one.
func (m *Module) log(stack []uint64) {
	m.look()
	text, err := m.hostText(api.DecodeU32(stack[1]), maxLogLine)
	if err != nil {
		text = fmt.Sprintf("(a log message that cannot be read: %v)", err)
	}
	if sink := m.plugin.config.Sink; sink != nil {
		sink.PluginLog(abi.LogLevel(api.DecodeI32(stack[0])), strings.ToValidUTF8(text, "\uFFFD"), true)
	}
}

// maxLogLine is how much of a log message is read, in bytes.
const maxLogLine = 64 << 10

// hostText is text for functions of the host's, which a start function may call before the
// module's memory is known.
func (m *Module) hostText(at uint32, most int) (string, error) {
	if m.memory == nil {
		return "", errEarly
	}
	return m.text(uint64(at), most)
}

var errEarly = errors.New("the module is not there yet")

// wake is wake(handle).
func (m *Module) wake(stack []uint64) {
	m.look()
	if sink := m.plugin.config.Sink; sink != nil {
		sink.PluginWake(stack[0], true)
	}
}

// resolve is resolve(box, method, type_id, method_id).
func (m *Module) resolve(stack []uint64) {
	m.look()
	typeID, methodID, code := m.resolveHost(stack)
	if code == abi.OK {
		// They were looked at, and memory does not become smaller.
		m.memory.WriteUint32Le(api.DecodeU32(stack[2]), typeID)
		m.memory.WriteUint32Le(api.DecodeU32(stack[3]), methodID)
	}
	stack[0] = api.EncodeI32(int32(code))
}

func (m *Module) resolveHost(stack []uint64) (typeID, methodID uint32, code abi.Code) {
	switch {
	case m.memory == nil:
		return 0, 0, abi.ErrPlugin
	case m.plugin.config.Calls == nil:
		return 0, 0, abi.ErrNotPermitted
	case m.call.allocates || m.call.ctx == nil:
		return 0, 0, abi.ErrPlugin
	}
	for _, at := range stack[2:4] {
		if at := api.DecodeU32(at); at == 0 {
			return 0, 0, abi.ErrInvalidArgs
		} else if _, err := m.pointer(uint64(at), 4); err != nil {
			return 0, 0, abi.ErrInvalidArgs
		}
	}
	box, err := m.text(uint64(api.DecodeU32(stack[0])), contract.MaxName)
	if err != nil {
		return 0, 0, abi.ErrInvalidArgs
	}
	method, err := m.text(uint64(api.DecodeU32(stack[1])), contract.MaxName)
	if err != nil {
		return 0, 0, abi.ErrInvalidArgs
	}
	m.away(func(ctx context.Context) { typeID, methodID, code = m.plugin.config.Calls.Resolve(ctx, box, method) })
	return typeID, methodID, code
}

// away does what the module waits for at its host. The time of that is not the call's.
func (m *Module) away(do func(ctx context.Context)) {
	call := m.call
	left := now()
	m.call.began = 0 // its allocator, which the host may call meanwhile, has a time of its own
	defer func() {
		m.call = call
		m.call.cancelled = 0 // its grace begins when it is back
		if call.began != 0 {
			m.call.began += now() - left
		}
	}()
	do(call.ctx)
}

// caller is the module that calls, as its host sees it; see [hostvtable.Caller].
type caller struct{ module *Module }

func (c caller) Session() any          { return c.module }
func (c caller) Life() context.Context { return c.module.life }
func (c caller) Thread() uint64        { return c.module.number }

// Place implements [hostvtable.Caller].
func (c caller) Place(data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	return c.module.put(data)
}

// invokeHost is invoke(type_id, method_id, instance_id, args, args_len, result, result_len).
func (m *Module) invokeHost(stack []uint64) {
	m.look()
	stack[0] = api.EncodeI32(int32(m.callHost(stack)))
	if m.ending.Load() != nil { // its allocator has failed meanwhile
		m.look()
	}
}

func (m *Module) callHost(stack []uint64) abi.Code {
	if m.memory == nil || m.call.ctx == nil {
		return abi.ErrPlugin
	}
	lengthAt, resultAt := api.DecodeU32(stack[6]), api.DecodeU32(stack[5])
	if lengthAt == 0 {
		return abi.ErrInvalidArgs
	}
	room, ok := m.memory.ReadUint32Le(lengthAt)
	if !ok {
		return abi.ErrInvalidArgs
	}
	if room == 0 {
		resultAt = 0
	}
	result, ok := m.memory.Read(resultAt, room)
	if !ok || room > 0 && resultAt == 0 {
		return abi.ErrInvalidArgs
	}
	answer := func(code abi.Code, text string) abi.Code {
		m.memory.WriteUint32Le(lengthAt, uint32(contract.WriteMessage(result, text)))
		return code
	}
	argsAt, size := api.DecodeU32(stack[3]), api.DecodeU32(stack[4])
	if size == 0 {
		argsAt = 0
	}
	args, ok := m.memory.Read(argsAt, size)
	switch {
	case !ok:
		return answer(abi.ErrInvalidArgs, fmt.Sprintf("the arguments are %d bytes at %#x, which are not in the module's memory", size, argsAt))
	case m.plugin.config.Calls == nil:
		return answer(abi.ErrNotPermitted, "")
	case m.call.allocates:
		return answer(abi.ErrPlugin, errAllocates.Error())
	case size > wire.MaxHostMessage:
		return answer(abi.ErrInvalidArgs, fmt.Sprintf("a message of %d bytes; the host reads %d", size, wire.MaxHostMessage))
	}
	room = min(room, wire.MaxHostMessage)
	// The message is copied: its blobs' addresses are the module's, and become the host's.
	message := bytes.Clone(args)
	if err := m.hostBlobs(message); err != nil {
		return answer(abi.ErrInvalidArgs, err.Error())
	}
	c := &m.hostCall
	*c = abi.Call{TypeID: api.DecodeU32(stack[0]), Method: api.DecodeU32(stack[1]), Instance: api.DecodeU32(stack[2])}
	c.SetArgs(message)
	// The result is written to the host's own memory: the module's moves when it grows, which
	// placing a blob may make it do.
	if uint64(cap(m.hostRoom)) < uint64(room) {
		m.hostRoom = make([]byte, room)
	}
	own := m.hostRoom[:room]
	if cap(m.hostRoom) > keptRoom {
		m.hostRoom = nil
	}
	c.SetResultBuffer(own)
	m.away(func(ctx context.Context) { m.plugin.config.Calls.Invoke(ctx, c, caller{m}) })
	length := uint64(c.ResultLength)
	if c.Code != abi.ErrShortBuffer && length <= uint64(len(own)) {
		m.memory.Write(resultAt, own[:length])
	}
	m.memory.WriteUint32Le(lengthAt, uint32(length))
	code := c.Code
	*c = abi.Call{} // what was lent to it
	return code
}

// keptRoom is the largest buffer for results that is kept for the next call, in bytes.
const keptRoom = 128 << 10

// hostBlobs makes the addresses of the blobs in a message those of this process, of memory of
// the module's that lasts until the call has ended.
func (m *Module) hostBlobs(message []byte) error {
	most := m.plugin.config.MaxBlob
	total := uint64(0)
	return contract.EachBlob(message, func(addr, length uint64) (uint64, error) {
		if length == 0 {
			return 0, nil
		}
		if total += length; most > 0 && total > most {
			return 0, fmt.Errorf("the blobs have more than the %d bytes that the host takes (loader.WithMaxBlob)", most)
		}
		at, err := m.pointer(addr, length)
		if err != nil {
			return 0, fmt.Errorf("a blob is not in the module's memory: %w", err)
		}
		view, ok := m.memory.Read(at, uint32(length))
		if !ok {
			return 0, errShrunk
		}
		return cmem.Address(view), nil
	})
}
