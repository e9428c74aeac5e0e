package tester

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader/native"
	"github.com/nyash-plugins/nyash-go/loader/process"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// rig is the plugin in a worker.
type rig struct {
	t       *Tester
	plugin  *process.Plugin
	session *process.Session
	dir     string // its working directory
	options rigOptions
	mu      sync.Mutex
	log     []string // the last lines
	trouble []string // what the host table reported
	printed []string

	ctx    context.Context // of its calls; it ends when the plugin takes too much memory
	cancel context.CancelCauseFunc

	trace []step // the calls so far
	owned []instance
	blob  uint64 // address of a blob that is lent
}

type rigOptions struct {
	layout  channel.Layout
	unload  bool
	wrapper []string // a command around the worker, which makes it slow
	dir     string   // the working directory; empty for a new one
	quiet   bool     // what it does is no finding
	survey  bool     // it is to be asked for its surroundings
	plain   bool     // calls use ordinary memory, which is faster
	slow    int      // how many times as slow a call may be; 0 for once
}

// instance is a box's instance.
type instance struct {
	box *box
	id  uint32
}

// step is a call that was made.
type step struct {
	m        *method
	typeID   uint32
	method   uint32
	instance uint32
	args     []byte
	room     int
	layout   channel.Layout
	racing   bool // others are made at the same time
}

const (
	// memoryLimit is what a plugin may take, in bytes.
	memoryLimit = 1 << 30
	// keptLines is how many of the last lines a finding shows.
	keptLines = 5
)

// open starts a worker with the library. Where that fails for the plugin's sake,
// that is a finding, and there is no rig.
func (t *Tester) open(o rigOptions) (*rig, error) {
	r := &rig{t: t, options: o, dir: o.dir}
	r.ctx, r.cancel = context.WithCancelCause(t.ctx)
	if r.dir == "" {
		dir, err := os.MkdirTemp("", "plugin-tester-")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		r.dir = dir
	}
	if err := r.start(); err != nil {
		r.cancel(nil)
		r.removeDir()
		if errors.Is(err, process.ErrWorker) || errors.Is(err, process.ErrUnsupported) || t.ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		if f := t.loadFinding(r, err); f.Code != "" && !o.quiet {
			t.add(f)
		}
		return nil, nil
	}
	if o.wrapper == nil {
		go r.watchMemory()
	}
	return r, nil
}

func (r *rig) start() error {
	t, o := r.t, r.options
	config := process.Config{
		File: t.config.File, Unload: o.unload, Track: true, Survey: o.survey, Sink: r, Output: r.print,
		Worker: t.config.Worker, Wrapper: o.wrapper, Dir: r.dir, CallTimeout: t.config.Timeout * time.Duration(max(1, o.slow)),
		InUse: func() bool { return true },
	}
	if l := t.config.Library; l != nil {
		config.InvokeOnly, config.Threads = l.InvokeOnly, threads[l.Threads]
	}
	if o.wrapper != nil {
		// A debugger minds neither shared memory of that size nor spinning, but is
		// slow with both.
		config.Channel = process.ChannelPipe
	} else if limitsWork {
		limit := uint64(memoryLimit)
		config.Limits.Memory = &limit
	}
	ctx, cancel := context.WithTimeoutCause(t.ctx, config.CallTimeout+time.Duration(o.slow)*time.Second, errLoadHang)
	defer cancel()
	plugin, err := process.Open(ctx, config)
	if err != nil {
		return err
	}
	r.plugin = plugin
	r.session, err = plugin.Session(ctx)
	return err
}

var errLoadHang = errors.New("loading took longer than a call may")

// PluginLog implements hostvtable.Sink.
func (r *rig) PluginLog(level abi.LogLevel, text string, own bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text, isTable := strings.CutPrefix(text, "host table: "); isTable {
		r.trouble = append(r.trouble, text)
	}
	r.keep(text)
}

// PluginWake implements hostvtable.Sink.
func (r *rig) PluginWake(uint64, bool) {}

func (r *rig) print(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.printed = append(r.printed, line)
	r.keep(line)
}

func (r *rig) keep(line string) {
	r.log = append(r.log, line)
	if len(r.log) > keptLines {
		r.log = r.log[1:]
	}
}

func (r *rig) lastLines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.log...)
}

func (r *rig) removeDir() {
	if r.options.dir == "" {
		_ = os.RemoveAll(r.dir)
	}
}

// end ends the worker, with the plugin's shutdown, and tells what came of it.
func (t *Tester) end(r *rig) {
	defer r.removeDir()
	defer r.cancel(nil)
	if r.session.Lost() {
		_ = r.plugin.Close()
		return
	}
	if err := r.session.Shutdown(); err != nil && !r.options.quiet {
		t.lostAt(r, &step{m: &method{name: "shutdown"}}, err)
	}
	if memory, ok := r.session.Memory(); ok && !r.options.quiet {
		t.checkMemory(r, memory.Blocks, memory.Bytes)
	}
	_ = r.plugin.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.printed) > 0 && r.options.wrapper == nil && !r.options.quiet {
		t.add(Finding{Code: codeOutput, Message: fmt.Sprintf("it printed %q", r.printed[0])})
	}
}

func (t *Tester) checkMemory(r *rig, blocks, bytes int) {
	r.mu.Lock()
	trouble := r.trouble
	r.mu.Unlock()
	if blocks > 0 {
		t.add(Finding{Code: codeAllocLeak, Message: fmt.Sprintf("after shutdown %s of host->alloc with %d bytes are not freed", plural(blocks, "block"), bytes)})
	}
	for _, text := range trouble {
		t.add(Finding{Code: codeBadFree, Message: text})
	}
}

// scenario runs f with the plugin in a worker of its own. A worker that is lost is
// a finding, and so is no worker.
func (t *Tester) scenario(o rigOptions, f func(*rig) error) error {
	if err := t.ctx.Err(); err != nil {
		return context.Cause(t.ctx)
	}
	r, err := t.open(o)
	if r == nil || err != nil {
		return err
	}
	defer t.end(r)
	return t.follow(r, f(r))
}

// follow takes note of a lost worker.
func (t *Tester) follow(r *rig, err error) error {
	var lost *lostError
	if !errors.As(err, &lost) {
		return err
	}
	t.lostAt(r, lost.at, lost.err)
	return nil
}

// lostError is a call that ended the worker.
type lostError struct {
	at  *step
	err error
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

var errRunaway = errors.New("it took too much memory")

// watchMemory ends the worker when it takes too much memory.
func (r *rig) watchMemory() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			if r.plugin.Status().RSS > memoryLimit*3/4 {
				r.cancel(errRunaway)
				return
			}
		}
	}
}

// answer is what a call answered.
type answer struct {
	code   abi.Code
	length uint64 // *result_len
	room   []byte // all of it
	damage channel.Damage
}

// result is the part of the room that the plugin says is the result.
func (a *answer) result() []byte {
	if a.code != abi.OK || a.length == 0 || a.isVoid() {
		return nil
	}
	return a.room[:min(a.length, uint64(len(a.room)))]
}

// isVoid tells whether the plugin left buffer and length alone.
func (a *answer) isVoid() bool {
	return a.length == uint64(len(a.room)) && len(a.room) >= 4 && binary.LittleEndian.Uint32(a.room) == 0
}

// String is the answer for a person, and for comparison.
func (a *answer) String() string {
	if a.code == abi.ErrShortBuffer {
		return fmt.Sprintf("%d, needs %d bytes", int32(a.code), a.length)
	}
	if a.code != abi.OK {
		return fmt.Sprintf("code %d%s", int32(a.code), a.messageText())
	}
	return showMessage(a.result())
}

func (a *answer) messageText() string {
	if text, ok := a.message(); ok {
		return ": " + text
	}
	return ""
}

// roomSize is the room for ordinary results, in bytes: more than the largest
// message of one value.
const roomSize = 65_552

// plainRoom is that of calls that are to be fast; call grows it.
const plainRoom = 256

// run makes a call as it is told. The error is a *lostError.
func (r *rig) run(s step) (*answer, error) {
	s.layout |= r.options.layout
	if !r.options.plain {
		r.trace = append(r.trace, s)
	}
	r.t.check.Calls++
	a, err := r.raw(&s)
	if err != nil {
		return nil, &lostError{at: &s, err: err}
	}
	return a, nil
}

func (r *rig) raw(s *step) (*answer, error) {
	a := &answer{room: make([]byte, s.room)}
	p := &process.Probe{Layout: s.layout}
	if r.options.plain {
		return a, r.invoke(s, a, &p.Call)
	}
	p.TypeID, p.Method, p.Instance = s.typeID, s.method, s.instance
	p.SetArgs(s.args)
	p.SetRoom(a.room)
	if err := r.session.Probe(r.ctx, p); err != nil {
		return nil, err
	}
	a.code, a.length, a.damage = p.Code, uint64(p.ResultLength), p.Damage
	return a, nil
}

// invoke is raw with ordinary memory.
func (r *rig) invoke(s *step, a *answer, c *abi.Call) error {
	for i := 4; i < len(a.room); i++ {
		a.room[i] = channel.Filler // as a probe does
	}
	c.TypeID, c.Method, c.Instance = s.typeID, s.method, s.instance
	c.SetArgs(s.args)
	c.SetRoom(a.room)
	if err := r.session.Invoke(r.ctx, c); err != nil {
		return err
	}
	a.code, a.length = c.Code, uint64(c.ResultLength)
	return nil
}

// room is the room for results of a rig's calls, in bytes.
func (r *rig) room() int {
	if r.options.plain {
		return plainRoom
	}
	return roomSize
}

// call calls a method with ordinary room, looks after what comes back, and tells
// what is wrong with it.
func (r *rig) call(m *method, id uint32, args []byte) (*answer, error) {
	s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: r.room()}
	a, err := r.run(s)
	for tries := 0; err == nil && a.code == abi.ErrShortBuffer && tries < 2; tries++ {
		if a.length <= uint64(s.room) || a.length > maxResult {
			r.t.judge(r, &s, a)
			return a, nil
		}
		s.room = int(a.length)
		a, err = r.run(s)
		if err == nil && a.code == abi.ErrShortBuffer {
			r.t.add(Finding{Code: codeShortLength, Box: m.box.name, Method: m.name, Call: showCall(&s), Input: hexText(args),
				Message: fmt.Sprintf("it asked for %d bytes, got them, and asked for %d", s.room, a.length)})
		}
	}
	if err != nil {
		return nil, err
	}
	r.t.judge(r, &s, a)
	r.takeOver(m, a)
	return a, nil
}

// maxResult is the largest result that a host makes room for, in bytes.
const maxResult = 16 << 20

// takeOver keeps account of what a result has given to the host.
func (r *rig) takeOver(m *method, a *answer) {
	value, ok := a.value()
	if !ok {
		return
	}
	if h, err := value.Handle(); err == nil {
		for _, have := range r.owned {
			if have.id == h.Instance && have.box.typeID == h.Type {
				return
			}
		}
		if b := r.t.boxOf(h.Type); b != nil {
			r.owned = append(r.owned, instance{b, h.Instance})
		}
		return
	}
	if addr, length, err := value.Blob(); err == nil {
		_, release, err := r.session.Adopt(addr, length)
		if err != nil {
			if !r.session.Lost() {
				r.t.add(Finding{Code: codeBlob, Box: m.box.name, Method: m.name, Message: err.Error()})
			}
			return
		}
		release()
	}
}

func (t *Tester) boxOf(typeID uint32) *box {
	for _, b := range t.boxes {
		if b.typeID == typeID {
			return b
		}
	}
	return nil
}

// born makes an instance.
func (r *rig) born(b *box) (uint32, error) {
	a, err := r.run(step{m: b.birth, typeID: b.typeID, method: abi.MethodBirth, args: emptyMessage, room: r.room()})
	if err != nil {
		return 0, err
	}
	id, ok := r.t.judgeBirth(r, b, a)
	if !ok {
		return 0, errNoBirth
	}
	r.owned = append(r.owned, instance{b, id})
	return id, nil
}

// errNoBirth ends a scenario that cannot go on; the finding is there already.
var errNoBirth = errors.New("no instance")

// fini ends an instance.
func (r *rig) fini(b *box, id uint32) error {
	a, err := r.run(step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: id, args: emptyMessage, room: r.room()})
	if err != nil {
		return err
	}
	for i, have := range r.owned {
		if have.box == b && have.id == id {
			r.owned = append(r.owned[:i:i], r.owned[i+1:]...)
			break
		}
	}
	r.t.judgeFini(r, b, a)
	return nil
}

// finiAll ends all instances that the rig has.
func (r *rig) finiAll() error {
	for len(r.owned) > 0 {
		last := r.owned[len(r.owned)-1]
		if err := r.fini(last.box, last.id); err != nil {
			return err
		}
	}
	return nil
}

// emptyMessage is the message of a call without arguments.
var emptyMessage = []byte{1, 0, 0, 0}

var loadCodes = []struct {
	reason error
	code   string
}{
	{native.ErrNotLibrary, codeNotLibrary},
	{native.ErrOpen, codeLoad},
	{native.ErrSymbol, codeSymbol},
	{native.ErrVersion, codeABI},
	{native.ErrInit, codeInit},
	{native.ErrDescription, codeDescription},
}

// loadFinding is what keeps a library from being loaded.
func (t *Tester) loadFinding(r *rig, err error) Finding {
	for _, c := range loadCodes {
		if errors.Is(err, c.reason) {
			var refused *native.Error
			message := err.Error()
			if errors.As(err, &refused) && refused.Detail != "" {
				message = refused.Detail
			}
			return Finding{Code: c.code, Message: message, Log: r.lastLines()}
		}
	}
	f := t.lostFinding(r, &step{m: &method{name: "init"}}, err)
	if f.Code == "" && !errors.Is(err, process.ErrCrashed) {
		f = Finding{Code: codeLoad, Message: err.Error(), Log: r.lastLines()}
	}
	return f
}
