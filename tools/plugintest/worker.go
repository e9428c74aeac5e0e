package plugintest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// worker is a process with the plugin in it, or a module's sandbox in this process. Calls may be made by several
// goroutines where that is said; all else is for one.
type worker struct {
	*env
	options workerOptions
	life    life
	dir     string // its working directory
	output  workerOutput
	host    *host // that the library calls

	callCtx context.Context // it ends when the plugin takes too much memory
	cancel  context.CancelCauseFunc

	gaveBytes bool     // a sequence that was played in it had bytes or blobs
	trace     []traced // the calls so far, unless they are plain
	instances []instance
	lent      map[*box]uint32      // of instances, those that samples stand for
	bearing   map[*box]bool        // boxes whose birth is being tried
	blobs     map[tlv.Value]uint64 // addresses in the worker of the blobs that samples stand for
	lending   lentBlobs
	ended     bool                 // shutdown was called
	doing     atomic.Pointer[step] // that was begun last; nil while the library is loaded
	kill      func(error)          // ends the process, whose calls then fail with the cause
	stacks    *stacks              // of its threads; nil where it is not watched
}

type workerOptions struct {
	unload  bool     // the library is unloaded by reload
	wrapper []string // a command around the worker, which makes it slow
	quiet   bool     // nothing is reported
	survey  bool     // processState will be asked for
	plain   bool     // calls use ordinary memory, which is faster and shows fewer faults
	brief   bool     // it is one of hundreds: it starts sooner, and its memory is watched, not limited
	guard   guard    // of what the library takes with malloc
	blobs   bool     // the bytes of blobs are kept
	unseen  bool     // no debugger looks at how it ends
	slow    int      // how many times the time limit a call may take; 0 for once
	// resolves are the tables that are asked for ids.
	resolves resolves
}

// instance is an instance of a box.
type instance struct {
	box *box
	id  uint32
}

const (
	// memoryLimit is how much memory a plugin may take, in bytes.
	memoryLimit = 1 << 30
	// startTime is what a worker may take to start, beside the time limit for its
	// plugin's init: its threads and its memory are made before the library is loaded,
	// which takes seconds on a busy machine.
	startTime = 5 * time.Second
	// logLines is how many of the last lines of output a finding shows.
	logLines = 5
)

// start starts a worker with the library. Where the library cannot be loaded,
// that is a finding, and there is no worker.
func (e *env) start(o workerOptions) (*worker, error) {
	dir, err := os.MkdirTemp("", "plugin-tester-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	w := &worker{env: e, options: o, dir: dir, lent: make(map[*box]uint32), bearing: make(map[*box]bool)}
	w.callCtx, w.cancel = context.WithCancelCause(e.ctx)
	w.host = newHost(w)
	if stopsWork && o.wrapper == nil && !e.plugin.module {
		w.stacks = &stacks{w: w}
		w.output.stacks = w.stacks
	}
	if err := w.open(); err != nil {
		w.cancel(nil)
		w.removeDir()
		if errors.Is(err, isolate.ErrWorker) || errors.Is(err, transport.ErrUnsupported) || e.ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		if f := w.loadFinding(err); !o.quiet {
			w.reportLoad(f)
		}
		return nil, nil
	}
	if o.wrapper == nil {
		go w.watchMemory()
	}
	if !o.quiet {
		w.compareText()
	}
	return w, nil
}

// tableRequests are the boxes that may have a TypeBox table: those of nyash.toml and of the
// manifest, and what the library's symbols name.
func (w *worker) tableRequests() []native.TableRequest {
	e := w.env
	var all []native.TableRequest
	add := func(name string, methods []string) {
		if methods = append(methods, noMethods(methods)...); !w.options.resolves.asks(name) {
			methods = nil
		}
		if !slices.ContainsFunc(all, func(r native.TableRequest) bool { return r.Box == name }) {
			all = append(all, native.TableRequest{Box: name, Methods: methods})
		}
	}
	if e.config.Library != nil {
		for _, b := range e.config.Library.Boxes {
			add(b.LibraryName, b.Unresolved(e.plugin.manifest))
		}
	}
	if e.plugin.manifest != nil {
		for _, b := range e.plugin.manifest.Boxes {
			add(b.Name, b.Unresolved(nil))
		}
	}
	for _, symbol := range e.plugin.exports {
		if name, ok := strings.CutPrefix(symbol, abi.SymbolTypeBoxPrefix); ok {
			add(name, nil)
		}
	}
	return all
}

var (
	errLoadTimeout = errors.New("loading took longer than a call may")
	errStopped     = errors.New("the plugin has stopped the process")
	errRunaway     = errors.New("the plugin took too much memory")
)

// workerOutput is what a plugin logs and prints. It is safe for concurrent use.
type workerOutput struct {
	stacks  *stacks // that is told of faults; nil for none
	mu      sync.Mutex
	last    []string // the last lines of both
	printed []string
}

// PluginLog implements hostvtable.Sink.
func (o *workerOutput) PluginLog(_ abi.LogLevel, text string, _ bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(text)
}

// PluginWake implements hostvtable.Sink.
func (o *workerOutput) PluginWake(uint64, bool) {}

func (o *workerOutput) print(line string) {
	if o.stacks != nil {
		rest, ok := o.stacks.note(line)
		if ok && rest == "" {
			return
		}
		line = rest
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.printed) == 2*maxPrinted { // the first ones, and the last ones
		o.printed = slices.Delete(o.printed, maxPrinted, maxPrinted+1)
	}
	o.printed = append(o.printed, line)
	o.keep(line)
}

// maxPrinted is half of how many lines are kept of what a plugin prints: it may print without end.
const maxPrinted = 1000

// keep is called with o.mu held.
func (o *workerOutput) keep(line string) {
	o.last = append(o.last, line)
	if len(o.last) > logLines {
		o.last = o.last[1:]
	}
}

func (o *workerOutput) lastLines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.last...)
}

func (o *workerOutput) printedLines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.printed...)
}

// emptyDir removes what the plugin has left in its working directory.
func (w *worker) emptyDir() error {
	all, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	for _, entry := range all {
		w.remove(filepath.Join(w.dir, entry.Name()))
	}
	return nil
}

func (w *worker) removeDir() { w.remove(w.dir) }

// remove removes what a plugin has left behind, or says that it is there.
func (w *worker) remove(path string) {
	if err := files.RemoveAll(path); err != nil {
		w.skip("files: what the plugin has left behind could not be removed: %s", contract.Printable(err.Error()))
	}
}

// close ends the worker, with the plugin's shutdown, and reports what that shows.
func (w *worker) close() {
	defer w.removeDir()
	defer w.cancel(nil)
	defer w.reportHost()
	if w.life.Lost() {
		_ = w.life.close()
		return
	}
	var exit *exitError
	if errors.As(w.shutdown(), &exit) {
		w.reportExit(exit.at, exit.err)
	} else {
		w.checkHostEnd()
	}
	if memory, ok := w.hostMemory(); ok && !w.options.quiet {
		w.checkHostMemory(&memory)
	}
	_ = w.life.close()
	printed := slices.DeleteFunc(w.output.printedLines(), lastWords.MatchString)
	if len(printed) > 0 && w.options.wrapper == nil && !w.options.quiet {
		w.add(Finding{Code: codeOutput, Message: fmt.Sprintf("it printed %q", printed[0])})
	}
}

// lastWords are what the C library and that of C++ print before they abort, which is no printing of
// the plugin's.
var lastWords = regexp.MustCompile(`^(double free or corruption|free\(\): |malloc\(\): |malloc_\w+\(\): |realloc\(\): |munmap_chunk\(\): |corrupted (size|double-linked)|\*\*\* \w+ \w+ detected \*\*\*|Fatal glibc error|terminate called|  what\(\): )`)

// checkHostMemory reports misuse of host->alloc and host->free. The counters
// decide: a plugin can log any line.
func (w *worker) checkHostMemory(m *hostvtable.Memory) {
	if m.Blocks > 0 {
		w.add(Finding{Code: codeAllocLeak, Message: fmt.Sprintf("%s of host->alloc with %d bytes not freed after shutdown", plural(m.Blocks, "block"), m.Bytes)})
	}
	for _, fault := range []struct {
		n    int
		what string
	}{{m.DoubleFrees, "free of a block that was freed before"}, {m.ForeignFrees, "free of a pointer that host->alloc did not return"}} {
		if fault.n > 0 {
			w.add(Finding{Code: codeBadFree, Message: fmt.Sprintf("%s (%s)", fault.what, plural(fault.n, "call")), Log: w.output.lastLines()})
		}
	}
}

// watchMemory ends calls when the plugin takes too much memory.
func (w *worker) watchMemory() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-w.callCtx.Done():
			return
		case <-tick.C:
			if n%diskTicks == 0 && fillsDisk(w.dir) {
				w.cancel(errDiskFull)
				return
			}
			if w.life.resident() > memoryLimit*3/4 {
				w.cancel(errRunaway)
				return
			}
		}
	}
}
