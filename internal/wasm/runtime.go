package wasm

import (
	"context"
	"errors"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// sharedRuntime is a runtime for the modules of one limit of memory whose code is kept on disk:
// what modules import costs more to set up than such a module.
type sharedRuntime struct {
	wazero.Runtime
	key   runtimeKey
	users int // guarded by runtimes
}

type runtimeKey struct {
	pages uint32
	dir   string
}

// maxIdle is how many runtimes are kept that nobody uses.
const maxIdle = 4

var runtimes struct {
	sync.Mutex
	all    map[runtimeKey]*sharedRuntime
	idle   []*sharedRuntime // of all, the one used longest ago first
	caches map[string]wazero.CompilationCache
}

// acquireRuntime returns the runtime for a limit of memory, which finds code in a folder. It is
// to be released.
func acquireRuntime(key runtimeKey) (*sharedRuntime, error) {
	runtimes.Lock()
	defer runtimes.Unlock()
	if r := runtimes.all[key]; r != nil {
		if r.users++; r.users == 1 {
			for i, other := range runtimes.idle {
				if other == r {
					runtimes.idle = append(runtimes.idle[:i:i], runtimes.idle[i+1:]...)
					break
				}
			}
		}
		return r, nil
	}
	cache := runtimes.caches[key.dir]
	if cache == nil {
		var err error
		if cache, err = wazero.NewCompilationCacheWithDir(key.dir); err != nil {
			return nil, err
		}
	}
	runtime, err := newRuntime(key.pages, cache)
	if err != nil {
		return nil, err
	}
	if runtimes.all == nil {
		runtimes.all = make(map[runtimeKey]*sharedRuntime)
		runtimes.caches = make(map[string]wazero.CompilationCache)
	}
	r := &sharedRuntime{Runtime: runtime, key: key, users: 1}
	runtimes.all[key], runtimes.caches[key.dir] = r, cache
	return r, nil
}

// release ends a use. The modules of it are closed.
func (r *sharedRuntime) release() {
	runtimes.Lock()
	defer runtimes.Unlock()
	if r.users--; r.users > 0 {
		return
	}
	runtimes.idle = append(runtimes.idle, r)
	if len(runtimes.idle) > maxIdle {
		oldest := runtimes.idle[0]
		runtimes.idle = runtimes.idle[1:]
		delete(runtimes.all, oldest.key)
		_ = oldest.Close(context.Background())
	}
}

// newRuntime makes a runtime with what modules import. cache may be nil.
func newRuntime(pages uint32, cache wazero.CompilationCache) (wazero.Runtime, error) {
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(pages).WithDebugInfoEnabled(false)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	_, err := wasi_snapshot_preview1.Instantiate(ctx, runtime)
	if err == nil {
		err = exportHost(ctx, runtime)
	}
	if err == nil {
		err = exportTick(ctx, runtime)
	}
	if err != nil {
		return nil, errors.Join(err, runtime.Close(ctx))
	}
	return runtime, nil
}

// compileAlone compiles a module for what that leaves in a cache.
func compileAlone(cache wazero.CompilationCache, module []byte) error {
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithDebugInfoEnabled(false).WithCompilationCache(cache))
	_, err := runtime.CompileModule(ctx, module)
	return errors.Join(err, runtime.Close(ctx), cache.Close(ctx))
}

// keptOnly is a context in which the engine takes code that it has, and compiles nothing: its
// several workers look whether the context has ended before each function, and one that has
// the code asks nobody.
var keptOnly = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return experimental.WithCompilationWorkers(ctx, 2)
}()
