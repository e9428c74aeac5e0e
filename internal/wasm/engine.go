package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/tetratelabs/wazero"

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
	err      error          // of compiling; set before ready is closed
	shared   *sharedRuntime // of code that was kept; nil where the runtime is the program's own
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
	// left are the programs that are compiled for nobody: who waited has given up. The
	// compiler cannot be interrupted.
	left int
}

// maxLeft is how many such programs there may be while others are compiled.
const maxLeft = 4

// errLeft is why a module is not compiled.
var errLeft = errors.New("modules that were not compiled within load_timeout are still being compiled, and no others are until one of them is done")

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
	p, err := join(key, func(p *program) error { return p.compile(file, text, cacheDir) })
	if err != nil {
		return nil, &native.Error{File: file, Reason: native.ErrOpen, Detail: err.Error(), Err: err}
	}
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

// join makes the program with this key, or finds it.
func join(key programKey, compile func(*program) error) (*program, error) {
	programs.Lock()
	defer programs.Unlock()
	if p := programs.all[key]; p != nil {
		if p.users++; p.users == 2 && !p.isReady() { // it was left
			programs.left--
		}
		return p, nil
	}
	if programs.left >= maxLeft {
		return nil, errLeft
	}
	p := &program{key: key, ready: make(chan struct{}), users: 2} // the goroutine's and the caller's
	if programs.all == nil {
		programs.all = make(map[programKey]*program)
	}
	programs.all[key] = p
	go func() {
		p.err = compile(p)
		programs.Lock()
		if p.users == 1 {
			programs.left--
		}
		close(p.ready)
		last := p.leave() // before others can: who has closed the module loads it anew
		programs.Unlock()
		if last {
			p.close()
		}
	}()
	return p, nil
}

func (p *program) isReady() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

func (p *program) release() {
	programs.Lock()
	last := p.leave()
	if p.users == 1 && !p.isReady() { // but the goroutine that compiles it
		programs.left++
	}
	programs.Unlock()
	if last {
		p.close()
	}
}

// leave ends a use, with programs locked. After the last one the caller closes the program.
func (p *program) leave() (last bool) {
	p.users--
	if p.users == 0 {
		delete(programs.all, p.key)
	}
	return p.users == 0
}

func (p *program) close() {
	switch {
	case p.runtime == nil:
	case p.shared != nil:
		_ = p.compiled.Close(context.Background())
		p.shared.release()
	default:
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
	cache := openCache(cacheDir, p.key.hash)
	if kept, ok := cache.read(); ok && p.take(cache, kept) == nil {
		return nil
	}
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
	if err := p.build(cache, text); err != nil {
		return notModule(file, err)
	}
	return nil
}

// take has the program be what is kept.
func (p *program) take(cache *diskCache, stub []byte) error {
	shared, err := acquireRuntime(runtimeKey{p.key.pages, cache.root})
	if err != nil {
		return err
	}
	compiled, err := shared.CompileModule(keptOnly, stub)
	if err != nil {
		shared.release()
		return err
	}
	p.shared, p.runtime, p.compiled = shared, shared.Runtime, compiled
	return nil
}

// build compiles the module in a runtime of its own, and keeps the code. One goroutine does it:
// only in that the engine's own faults can be recovered from.
func (p *program) build(cache *diskCache, text []byte) error {
	ctx := context.Background()
	building := cache.building()
	var written wazero.CompilationCache
	if building != "" {
		defer func() { _ = os.RemoveAll(building) }()
		if c, err := wazero.NewCompilationCacheWithDir(building); err == nil {
			written = c
		}
	}
	runtime, err := newRuntime(p.key.pages, written)
	if err != nil {
		return err
	}
	compiled, err := runtime.CompileModule(ctx, text)
	if err != nil {
		return errors.Join(err, runtime.Close(ctx))
	}
	p.runtime, p.compiled = runtime, compiled
	if written != nil {
		if of, err := stub(text); err == nil {
			cache.keep(building, of)
		}
	}
	return nil
}

// notModule is the error of a file that is no module which could be run.
func notModule(file string, err error) error {
	return &native.Error{File: file, Reason: native.ErrNotModule, Detail: contract.Excerpt(err.Error()), Err: err}
}
