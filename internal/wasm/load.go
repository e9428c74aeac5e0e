package wasm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// linearMemory is withLinearMemory, but where a test wants memory that moves.
var linearMemory = withLinearMemory

// start makes a module of the program and runs its abi, config, connect and init.
func (p *Plugin) start(program *program, place int, deadline time.Time) (*Module, error) {
	m := &Module{plugin: p, place: place, number: p.lastNumber.Add(1)}
	m.ctx = &moduleContext{Context: context.Background(), module: m}
	m.life, m.over = context.WithCancelCause(context.Background())
	m.bind()
	m.turn.try()
	defer m.pass()
	err := m.load(program, deadline)
	m.call = m.ordinary()
	if err == nil {
		return m, nil
	}
	if ending := m.ending.Load(); ending != nil && m.description.Connects {
		p.config.end(m)
	}
	m.dead.Store(true)
	m.end.Do(m.close)
	return nil, err
}

func (m *Module) load(program *program, deadline time.Time) error {
	limit := time.Duration(0)
	if !deadline.IsZero() {
		limit = max(time.Until(deadline), time.Nanosecond)
	}
	timed := func(ctx context.Context) underWay {
		return underWay{ctx: ctx, limit: limit, began: now(), late: m.plugin.errLate()}
	}
	m.call = timed(m.plugin.alive)
	config, err := m.surroundings()
	if err != nil {
		return err
	}
	if m.instance, err = program.runtime.InstantiateModule(linearMemory(m.ctx), program.compiled, config); err != nil {
		return m.failed(native.ErrOpen, "", err)
	}
	m.memory = m.instance.ExportedMemory(memoryName)
	for i, f := range m.functions.all() {
		*f = m.instance.ExportedFunction(exports[i].name)
	}
	if m.begin != nil {
		if err := m.run(m.begin); err != nil {
			return m.failed(native.ErrOpen, symbolStart, err)
		}
	}
	version, err := m.ask(m.functions.abi)
	if err != nil {
		return m.failed(native.ErrVersion, abi.SymbolABI, err)
	}
	if version != abi.Version {
		return m.refuse(native.ErrVersion, "it was built for ABI version %d, and this host has %d; rebuild it against this release's nyash_plugin.h", version, abi.Version)
	}
	if err := m.configure(); err != nil {
		return err
	}
	ctx, cancel := m.plugin.alive, func() {}
	if limit > 0 {
		ctx, cancel = context.WithDeadlineCause(ctx, deadline, m.plugin.errLate())
	}
	defer cancel()
	m.plugin.config.around(ctx, func(ctx context.Context) {
		m.call = timed(ctx)
		if err = m.connectHost(); err == nil {
			err = m.describe()
		}
	})
	return err
}

// surroundings are what a module gets of the system: clocks that it cannot change, random
// numbers, its host's log as its output, and the folders that it was given.
func (m *Module) surroundings() (wazero.ModuleConfig, error) {
	out, err := newOutput(m.plugin.config.Sink, m.look), newOutput(m.plugin.config.Sink, m.look)
	m.closers = append(m.closers, out.flush, err.flush)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithStdout(out).WithStderr(err).
		WithSysWalltime().WithSysNanotime().WithNanosleep(m.sleep).WithOsyield(m.look).
		WithRandSource(&random{m.look})
	for _, name := range m.plugin.config.Env {
		if value, ok := os.LookupEnv(name); ok {
			config = config.WithEnv(name, value)
		}
	}
	folders, failed := m.mount()
	if failed != nil {
		return nil, failed
	}
	return config.WithFSConfig(folders), nil
}

// run calls a function without arguments and results.
func (m *Module) run(f api.Function) error { return f.CallWithStack(m.ctx, m.stack[:]) }

// ask calls a function that answers a number.
func (m *Module) ask(f api.Function, args ...uint32) (uint32, error) {
	for i, a := range args {
		m.stack[i] = uint64(a)
	}
	err := f.CallWithStack(m.ctx, m.stack[:])
	return api.DecodeU32(m.stack[0]), err
}

// configure reads what the module says of itself, and has the user of the library look at it.
func (m *Module) configure() error {
	if m.config != nil {
		at, err := m.ask(m.config)
		if err != nil {
			return m.failed(native.ErrDescription, abi.SymbolConfig, err)
		}
		// One byte more than is allowed tells a text that is too long from one that has no end.
		text, err := m.text(uint64(at), contract.MaxConfig+1)
		if err == nil {
			err = contract.CheckConfig(text)
		}
		if err != nil {
			return m.refuse(native.ErrDescription, "%s: %v", abi.SymbolConfig, err)
		}
		m.description.Config = &text
		if configure := m.plugin.config.Configure; configure != nil {
			if _, err := configure(text); err != nil {
				return &native.Error{File: m.plugin.config.File, Reason: native.ErrDescription, Err: err}
			}
		}
	}
	return nil
}

func (m *Module) connectHost() error {
	if m.connect == nil {
		return nil
	}
	m.description.Connects = true
	at, err := m.ask(m.hostCalls)
	if err == nil {
		var code uint32
		if code, err = m.ask(m.connect, at); err == nil && abi.Code(int32(code)) != abi.OK {
			code := abi.Code(int32(code))
			return &native.Error{File: m.plugin.config.File, Reason: native.ErrConnect, Err: code,
				Detail: abi.SymbolConnect + " returned " + code.Error()}
		}
	}
	if err != nil {
		return m.failed(native.ErrConnect, abi.SymbolConnect, err)
	}
	return nil
}

// infoSize is that of NyashPluginInfo in a module: type_id, type_name, method_count, methods.
const infoSize = 16

// describe runs init and copies what it says.
func (m *Module) describe() error {
	table, err := m.ask(m.hostTable)
	if err != nil {
		return m.failed(native.ErrInit, symbolHostTable, err)
	}
	at, err := m.allocate(infoSize)
	if err != nil {
		return m.failed(native.ErrInit, symbolAlloc, err)
	}
	zero := [infoSize]byte{}
	if !m.memory.Write(at, zero[:]) {
		return m.failed(native.ErrInit, symbolAlloc, errShrunk)
	}
	code, err := m.ask(m.functions.init, table, at)
	if err != nil {
		return m.failed(native.ErrInit, abi.SymbolInit, err)
	}
	if code := abi.Code(int32(code)); code != abi.OK {
		return &native.Error{File: m.plugin.config.File, Reason: native.ErrInit, Err: code, Detail: abi.SymbolInit + " returned " + code.Error()}
	}
	if err := m.readInfo(at); err != nil {
		return m.refuse(native.ErrDescription, "%v", err)
	}
	if err := m.release(at); err != nil {
		return m.failed(native.ErrInit, symbolFree, err)
	}
	return nil
}

// methodSize is the number of words of a NyashMethodInfo in a module.
const methodSize = 3

func (m *Module) readInfo(at uint32) error {
	d := &m.description
	d.Generation = abi.FourSymbols
	info, err := m.words(at, infoSize/4)
	if err != nil {
		return err
	}
	typeName, count, methods := info[1], info[2], info[3]
	d.TypeID = info[0]
	if typeName != 0 {
		if d.TypeName, err = m.text(uint64(typeName), contract.MaxName); err != nil {
			return fmt.Errorf("type_name: %w", err)
		}
		if d.TypeName == "" {
			return errors.New("type_name: it is empty; NULL is for a library that gives none")
		}
	}
	if err := contract.CheckMethodCount(uint64(count)); err != nil {
		return err
	}
	if count > 0 && methods == 0 {
		return fmt.Errorf("method_count is %d but methods is NULL", count)
	}
	all, err := m.words(methods, count*methodSize)
	if err != nil {
		return fmt.Errorf("methods: %w", err)
	}
	for i := range count {
		id, name, signature := all[methodSize*i], all[methodSize*i+1], all[methodSize*i+2]
		text, err := m.text(uint64(name), contract.MaxName)
		if err != nil {
			return fmt.Errorf("method %d of %d (method_id %d): name: %w", i+1, count, id, err)
		}
		d.Methods = append(d.Methods, abi.Method{ID: id, Name: text, Signature: signature})
	}
	return contract.CheckDescription(*d)
}

// refuse is the error of a module that says what it must not.
func (m *Module) refuse(reason error, format string, args ...any) error {
	return &native.Error{File: m.plugin.config.File, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// failed is the error of a module that ended while it was loaded, in the function what.
func (m *Module) failed(reason error, what string, err error) error {
	m.fail(trapped(err))
	cause := *m.ending.Load()
	switch {
	case errors.Is(cause, transport.ErrNoAnswer):
		return fmt.Errorf("load %s: %w", m.plugin.config.File, cause)
	case m.plugin.alive.Err() != nil:
		return fmt.Errorf("load %s: %w", m.plugin.config.File, context.Cause(m.plugin.alive))
	}
	if what != "" {
		cause = fmt.Errorf("%s: %w", what, cause)
	}
	return &native.Error{File: m.plugin.config.File, Reason: reason, Detail: cause.Error(), Err: m.crash(cause)}
}
