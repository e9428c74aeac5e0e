package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

const (
	maxFile    = 64 << 20 // bytes of a module
	pageSize   = 64 << 10
	maxMemory  = 4<<30 - pageSize // that a module can have: the size of one with all 4 GiB is no u32
	defaultMax = 1 << 30          // that one has for which nothing is said
)

// program is a module's compiled code, for all who use the same file with the same limit of
// memory, which is the runtime's. The last one to release it frees it.
type program struct {
	key      programKey
	users    int // guarded by programs
	ready    chan struct{}
	err      error // of compiling; set before ready is closed
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

// programKey identifies a program by the hash of its file, and how many pages of memory it has
// at most.
type programKey struct {
	hash  [sha256.Size]byte
	pages uint32
}

var programs struct {
	sync.Mutex
	all map[programKey]*program
}

// memoryPages is a limit of memory in pages.
func memoryPages(limit uint64) uint32 {
	if limit == 0 {
		limit = defaultMax
	}
	return uint32(max(min(limit, maxMemory)/pageSize, 1))
}

// open compiles a module, or joins those who have. When ctx ends, only the waiting does: a
// module is of bounded size, and what was compiled is there for the next who asks.
func open(ctx context.Context, file string, memory uint64, cacheDir string) (*program, error) {
	text, err := files.ReadRegular(file, maxFile)
	if err != nil {
		return nil, &native.Error{File: file, Reason: native.ErrOpen, Detail: contract.Excerpt(err.Error()), Err: err}
	}
	key := programKey{sha256.Sum256(text), memoryPages(memory)}
	programs.Lock()
	p := programs.all[key]
	if p == nil {
		p = &program{key: key, ready: make(chan struct{})}
		if programs.all == nil {
			programs.all = make(map[programKey]*program)
		}
		programs.all[key] = p
		p.users++ // the goroutine's
		go func() {
			p.err = p.compile(file, text, cacheDir)
			close(p.ready)
			p.release()
		}()
	}
	p.users++
	programs.Unlock()
	select {
	case <-p.ready:
	case <-ctx.Done():
		p.release()
		return nil, fmt.Errorf("compile %s: %w", file, context.Cause(ctx))
	}
	if err := p.err; err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

func (p *program) release() {
	programs.Lock()
	p.users--
	last := p.users == 0
	if last {
		delete(programs.all, p.key)
	}
	programs.Unlock()
	if last && p.runtime != nil {
		_ = p.runtime.Close(context.Background()) // which closes what it has compiled, and its instances
	}
}

// compile is run by one goroutine. The error says what is wrong with the file.
func (p *program) compile(file string, text []byte, cacheDir string) (err error) {
	defer func() {
		if fault := recover(); fault != nil { // of the compiler, on what it did not expect
			err = notModule(file, fmt.Errorf("the compiler cannot deal with it: %v", fault))
		}
	}()
	if err := checkFile(text); err != nil {
		return notModule(file, err)
	}
	text, read, err := interruptible(text)
	if err != nil {
		return notModule(file, err)
	}
	f := readFace(read)
	if err := f.check(file); err != nil {
		return err
	}
	cache := openCache(cacheDir, text)
	p.runtime, p.compiled, err = p.build(cache, text)
	if err != nil && cache.used() { // what is on the disk may not be what was written there
		cache.discard()
		p.runtime, p.compiled, err = p.build(nil, text)
	}
	if err != nil {
		return notModule(file, err)
	}
	cache.seal()
	return nil
}

// build makes a runtime with what a module imports, and compiles the module in it.
func (p *program) build(cache *diskCache, text []byte) (wazero.Runtime, wazero.CompiledModule, error) {
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(p.key.pages).WithDebugInfoEnabled(false)
	if cache.used() {
		config = config.WithCompilationCache(cache.compiled)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	compiled, err := func() (wazero.CompiledModule, error) {
		if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
			return nil, err
		}
		if err := exportHost(ctx, runtime); err != nil {
			return nil, err
		}
		if err := exportTick(ctx, runtime); err != nil {
			return nil, err
		}
		return runtime.CompileModule(ctx, text)
	}()
	if err != nil {
		return nil, nil, errors.Join(err, runtime.Close(ctx))
	}
	return runtime, compiled, nil
}

// notModule is the error of a file that is no module which could be run.
func notModule(file string, err error) error {
	return &native.Error{File: file, Reason: native.ErrNotLibrary, Detail: contract.Excerpt(err.Error()), Err: err}
}
