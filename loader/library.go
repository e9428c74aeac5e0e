package loader

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/hostbox"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
)

// library is one entry of nyash.toml that names a shared library, or one
// box that is written in Go.
type library struct {
	host     *Host
	name     string            // in log lines and errors: the box's, or the library's if it has several
	conf     *registry.Library // nil for a box written in Go
	source   source
	boxTypes []*boxType

	loading     singleflight.Group
	busyLoading atomic.Bool
	loaded      atomic.Bool // set last by loadOnce: what that wrote may be read when it is true
	log         *pluginLog  // set by source.open; nil for a box written in Go

	leaf      *native.Library // in this process, where leaf methods can be called as such; set by loads
	hasLeaves bool            // its boxes have leaf methods; set by bind
	isGo      bool            // a box written in Go, built in or the program's own
	lives     lives
	foreign   foreignTypes
	// connection is how the library calls its host; connected is true where it does, with
	// turn where it takes one call at a time. Both are set by loads, before loaded.
	connection *connection
	connected  bool
	turn       *calls.Turn
	threads    native.Threads // of the library, as far as they are known
	loadedBy   calls.Lock     // the chain in which it is loaded, or its worker started
	loadingAt  calls.Position // of loadOnce; see aroundWithin
	running    sync.Mutex     // held while aroundWithin runs: modules and workers start at the same time
	closed     atomic.Bool

	finalising finalising
	// births are those under way, from before they ask for a session until their instance
	// is among the live ones, or there is none. See inUse.
	births atomic.Int32

	// What find has found, and which file that is, where that is known; see claim. Loads set
	// them, before loaded.
	file     string
	identity files.Identity
	// unlisted are boxes that the library has and nyash.toml does not list, by type id. Set
	// by bind.
	unlisted map[uint32]unlistedBox
	// The library's text on itself, and that text parsed; nil where it has none. Only
	// loads, which are one at a time, use them.
	described     *registry.Description
	describedText string
	// manifest is the library's nyash_box.toml, which may not be there; nil before it is read.
	// manifestErr says why it cannot be used, which concerns only a library that has tables.
	manifest    *registry.Description
	manifestErr error
}

// boxType is a type of boxes that the host can make.
type boxType struct {
	name string
	lib  *library
	decl *registry.Box // nyash.toml's declaration; nil for a box written in Go

	// typ is set while the library is loaded, unless the box is broken: then that is why
	// it cannot be made, though others of the library can. broken is written by loads.
	typ    atomic.Pointer[boundType]
	broken error

	making    *semaphore.Weighted // held while the singleton is born; guards singleton
	makingBy  calls.Lock          // the chain in which it is
	singleton *Box

	used bool // some library may call it; not changed after Open
}

// isSingleton reports whether the box is known to be a singleton.
func (t *boxType) isSingleton() bool {
	if typ := t.typ.Load(); typ != nil {
		return typ.Singleton
	}
	return t.decl != nil && t.decl.Singleton
}

// knowsID reports whether the box's type id is known before its library is loaded.
func (t *boxType) knowsID() bool {
	return t.typ.Load() != nil || t.decl != nil && t.decl.HasTypeID
}

// methodID is the id of a method, where that is known before the library is loaded.
func (t *boxType) methodID(name string) (id uint32, ok bool) {
	switch name {
	case abi.NameBirth:
		return abi.MethodBirth, true
	case abi.NameFini:
		return abi.MethodFini, true
	}
	if typ := t.typ.Load(); typ != nil {
		if p := typ.methods[name]; p != nil {
			return p.ID, true
		}
		return 0, false
	}
	if t.decl == nil {
		return 0, false
	}
	for _, m := range t.decl.Methods {
		if m.Name == name && m.HasID {
			return m.ID, true
		}
	}
	return 0, false
}

func newLibrary(h *Host, conf *registry.Library) *library {
	l := &library{host: h, name: conf.Name, conf: conf, threads: conf.Threads}
	l.foreign.lib = l
	for _, box := range conf.Boxes {
		l.boxTypes = append(l.boxTypes, newBoxType(box.Name, l, box))
	}
	if len(l.boxTypes) == 1 {
		l.name = l.boxTypes[0].name
	}
	l.source = newSource(l, conf)
	return l
}

func newGoLibrary(h *Host, typeID uint32, b *hostbox.Box) *library {
	b.Logger = h.options.logger
	l := &library{host: h, name: b.Name, isGo: true}
	l.foreign.lib = l
	l.boxTypes = []*boxType{newBoxType(b.Name, l, nil)}
	l.source = newGoSource(l.boxTypes[0], typeID, b)
	return l
}

func newBoxType(name string, l *library, decl *registry.Box) *boxType {
	return &boxType{name: name, lib: l, decl: decl, making: semaphore.NewWeighted(1)}
}

// hasTypeID reports whether a box of the library is known to have a type id.
func (l *library) hasTypeID(id uint32) bool {
	return l.boxTypeByID(id) != nil || slices.ContainsFunc(l.boxTypes, func(t *boxType) bool { return t.decl != nil && t.decl.HasTypeID && t.decl.TypeID == id })
}

// boxTypeByID finds the box with a type id, or returns nil. The library must be loaded.
func (l *library) boxTypeByID(typeID uint32) *boxType {
	for _, t := range l.boxTypes {
		if typ := t.typ.Load(); typ != nil && typ.ID == typeID {
			return t
		}
	}
	return nil
}

// load makes a box ready with its library. See [library.load].
func (t *boxType) load(ctx context.Context) error {
	if err := t.lib.load(ctx); err != nil {
		return t.own(err)
	}
	return t.broken
}

// load makes the library ready, once; concurrent callers wait for the same load. When
// ctx ends, only the waiting does, and the load goes on. One that failed leaves nothing behind
// and is tried again at the next use.
func (l *library) load(ctx context.Context) error {
	if l.loaded.Load() {
		return nil
	}
	end, err := l.host.waitFor(ctx, "box "+l.name, &l.loadedBy)
	if err != nil {
		return err
	}
	defer end()
	at := calls.At(ctx)
	load := func() (any, error) { return l.loadOnce(at) }
	if ctx.Done() == nil { // a goroutine would cost a good part of the loading
		_, err, _ := l.loading.Do("", load)
		return err
	}
	select {
	case r := <-l.loading.DoChan("", load):
		return r.Err
	case <-ctx.Done():
		return fmt.Errorf("box %s: waiting for its library to load: %w", l.name, context.Cause(ctx))
	}
}

// loadOnce is run by one goroutine at a time.
func (l *library) loadOnce(at calls.Position) (any, error) {
	if l.loaded.Load() {
		return nil, nil
	}
	// The load may outlast its callers, and so it retains the host itself.
	if err := l.host.retain(); err != nil {
		return nil, err
	}
	defer l.host.release()
	l.busyLoading.Store(true)
	defer l.busyLoading.Store(false)
	if l.connection != nil {
		defer l.ownLoad(at)()
	}
	types, err := l.source.open()
	if err != nil {
		l.host.disclaim(l)
		return nil, err
	}
	for i, t := range l.boxTypes {
		t.typ.Store(types[i])
	}
	l.host.registerLibrary(l)
	l.loaded.Store(true)
	return nil, nil
}

// find returns the library's file.
func (l *library) find(conf *registry.Library) (string, error) {
	return l.found(l.host.config.Find(conf))
}

// findAndLook is find for a library in this process: the file is opened once, to find it and to
// look at it.
func (l *library) findAndLook(conf *registry.Library) (file string, seen *native.Seen, err error) {
	file, err = l.found(l.host.config.FindBy(conf, func(path string) bool {
		seen = native.Look(path)
		return seen.Exists()
	}))
	return file, seen, err
}

// found notes what was found.
func (l *library) found(file string, err error) (string, error) {
	if err != nil {
		return "", l.errFind(err)
	}
	l.file, l.identity = file, files.Identity{}
	l.manifest, l.manifestErr = nil, nil
	return file, nil
}

// readManifest reads the library's manifest, once in a load.
func (l *library) readManifest(conf *registry.Library) {
	if l.manifest != nil {
		return
	}
	dir := l.host.config.ManifestDir(conf, l.file)
	if l.manifest, l.manifestErr = registry.LoadManifest(dir); l.manifest == nil {
		l.manifest = registry.NoManifest(dir)
	}
}

// tableRequests are the boxes that may have a TypeBox table, with the methods whose ids
// neither nyash.toml nor the manifest gives.
func (l *library) tableRequests(conf *registry.Library) []native.TableRequest {
	l.readManifest(conf)
	all := make([]native.TableRequest, len(l.boxTypes))
	for i, t := range l.boxTypes {
		all[i] = native.TableRequest{Box: t.decl.LibraryName, Methods: t.decl.Unresolved(l.manifest)}
	}
	return all
}

// lazyTableRequests is tableRequests without the methods, which a library without tables need
// not have: unresolved tells them.
func (l *library) lazyTableRequests() []native.TableRequest {
	all := make([]native.TableRequest, len(l.boxTypes))
	for i, t := range l.boxTypes {
		all[i].Box = t.decl.LibraryName
	}
	return all
}

// unresolved are the methods that a table of the library's is asked for.
func (l *library) unresolved(conf *registry.Library, box string) []string {
	l.readManifest(conf)
	i := slices.IndexFunc(l.boxTypes, func(t *boxType) bool { return t.decl.LibraryName == box })
	return l.boxTypes[i].decl.Unresolved(l.manifest)
}

// inUse reports whether instances of the library are alive or being born. Asked in this
// order: who is not yet alive is being born before.
func (l *library) inUse() bool {
	if l.births.Load() != 0 {
		return true
	}
	l.host.mu.Lock()
	defer l.host.mu.Unlock()
	for _, in := range l.host.live {
		if in.lib == l && !in.backend.Lost() {
			return true
		}
	}
	return false
}

// configure reads what the library's nyash_plugin_config returned, before its init, and
// decides with it which threads may run the library. It is called in each life.
func (l *library) configure(conf *registry.Library, file, text string) (native.Threads, error) {
	if l.described == nil || l.describedText != text {
		d, err := registry.ParseDescription(filepath.Base(file), text)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", native.ErrDescription, err)
		}
		l.described, l.describedText = d, text
		l.warn(d.Warnings, nil)
	}
	if l.described.HasThreads && !conf.HasThreads {
		l.threads = l.described.Threads
	}
	return l.threads, nil
}

// warn logs warnings, but for those that an error says.
func (l *library) warn(warnings registry.Errors, err error) {
	for _, w := range warnings {
		if !errors.Is(err, w) {
			l.host.options.logger.Warn(w.Error())
		}
	}
}

// route has the boxes that have TypeBox tables called through them.
func route(types []*boundType, route func(typeID uint32, table int) error) error {
	for _, t := range types {
		if t != nil && t.Table > 0 {
			if err := route(t.ID, t.Table-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSignatures compares what the library's init and its text say of methods. The
// differences are warnings, and an error where nyash.toml is strict.
func (l *library) checkSignatures(strict bool, d abi.Description) error {
	differences := l.described.CheckSignatures(d)
	if strict && len(differences) > 0 {
		return &LoadError{File: l.file, Reason: ErrDescription, Err: fmt.Errorf("%w: strict = true: %w", ErrDescription, differences)}
	}
	l.warn(differences, nil)
	return nil
}

// bind joins nyash.toml's declarations with the library's description of itself.
func (l *library) bind(conf *registry.Library, d abi.Description) (types []*boundType, err error) {
	if err := l.checkSignatures(conf.Strict, d); err != nil {
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	described := l.described
	if len(d.Tables) > 0 {
		l.readManifest(conf)
		if l.manifestErr != nil {
			return nil, fmt.Errorf("box %s: %w", l.name, l.errDeclaration(l.manifestErr))
		}
		described = described.Join(l.manifest)
		defer func() { l.warn(l.manifest.Warnings, err) }()
		for _, t := range l.boxTypes {
			l.warn(t.decl.CheckManifest(l.manifest), nil)
		}
	}
	l.noteUnlisted(described, d)
	types = make([]*boundType, len(l.boxTypes))
	errs, broken := make([]error, len(types)), 0
	for i, t := range l.boxTypes {
		typ, err := t.decl.Bind(described, d)
		if err == nil {
			types[i] = newBoundType(t, typ)
			l.planLeaves(types[i])
			if other := l.foreign.byID(typ.ID); other != nil {
				err = fmt.Errorf("box %s: its library gives it type_id %d, which the library was told as that of %s; set another type_id, below %d", typ.Name, typ.ID, other.name, uint32(firstForeignType))
				types[i] = nil
			}
			if j := slices.IndexFunc(types[:i], func(other *boundType) bool { return other != nil && other.ID == typ.ID }); j >= 0 {
				err = fmt.Errorf("box %s: its library gives it type_id %d, which %s has already; set another type_id", typ.Name, typ.ID, types[j].Name)
				types[i] = nil
			}
		}
		if err != nil {
			err = l.errDeclaration(err)
			broken++
		}
		t.broken, errs[i] = err, err
	}
	// In the later public forms a mistake costs only the box that it is about.
	if later := conf.InvokeOnly || len(d.Tables) > 0; broken > 0 && (!later || broken == len(types)) {
		return nil, &boxErrors{errs}
	}
	if err := l.host.claim(l); err != nil {
		return nil, l.errDeclaration(err)
	}
	return types, nil
}

// session returns the backend that a new instance lives in; see [source].
func (l *library) session(ctx context.Context, singleton bool) (backend, error) {
	end, err := l.host.waitFor(ctx, "box "+l.name, &l.loadedBy)
	if err != nil {
		return nil, err
	}
	defer end()
	return l.source.session(ctx, singleton)
}

// ownLoad notes where in which chain the library is being loaded, until the returned function
// is called. What its init asks for is part of that chain.
func (l *library) ownLoad(at calls.Position) (done func()) {
	if at.Chain == 0 {
		at.Chain = calls.NewChain()
	}
	l.loadingAt = at
	l.host.waits.Own(at, &l.loadedBy)
	return func() {
		l.loadingAt = calls.Position{}
		l.host.waits.Disown(&l.loadedBy)
	}
}

// around runs what runs the connect, init or shutdown of a library in this process.
func (l *library) around(run func(context.Context)) { l.aroundWithin(l.host.forced, run) }

// aroundWithin runs what runs the library's connect, init or shutdown, with the context of
// what it asks for meanwhile, which ends when ctx does.
func (l *library) aroundWithin(ctx context.Context, run func(context.Context)) {
	if l.connection == nil {
		run(ctx)
		return
	}
	l.running.Lock()
	defer l.running.Unlock()
	if l.loadingAt.Chain == 0 { // another worker is started, or the library is closed
		done := l.ownLoad(calls.Position{})
		defer done()
	}
	f := &calls.Frame{Threads: true}
	f.Reset(ctx, l.loadingAt)
	run(f)
}

// contended reports whether calls wait for what those under way in the library have.
func (l *library) contended() bool {
	return l.host.slots.contended() || l.turn != nil && l.turn.Queue() > 0
}

// connect notes whether the library calls its host, and how it is called then.
func (l *library) connect(connects bool) {
	l.connected = connects && l.connection != nil && len(l.connection.uses) > 0
	if l.connected && l.threads != native.Free && !l.isModule() && l.turn == nil {
		l.turn = calls.NewTurn()
	}
}

// isModule reports whether the library is a WebAssembly module: each life has a turn of its own.
func (l *library) isModule() bool { return l.conf != nil && l.conf.IsModule() }

// close ends the library's life, if it was loaded or tried to be. No call is under
// way and none will come.
func (l *library) close() error {
	l.loaded.Store(false)
	err := l.source.close()
	l.closed.Store(true)
	if l.connection != nil {
		l.connection.kept.Drop()
	}
	for _, life := range l.allLives() {
		l.endLife(life.backend())
	}
	return err
}

// lastLines are the lines that the library logged last.
func (l *library) lastLines() []string {
	if l.log == nil {
		return nil
	}
	return l.log.last()
}
