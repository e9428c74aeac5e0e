package plugintest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
)

// life is one life of the library: in a process of its own, or as a module in this one. Calls
// may be made by several goroutines, and all else by one.
type life interface {
	Description() abi.Description
	Lost() bool
	Invoke(ctx context.Context, c *abi.Call) error
	Lend(ctx context.Context, data []byte) (addr uint64, err error)
	TakeBack(addr uint64, length int)
	Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error)

	probe(ctx context.Context, c *probe.Call) error
	batch(ctx context.Context, b *batch) error
	// watch makes the calls of a leaf method; errNoState where they cannot be watched.
	watch(ctx context.Context, w *probe.Watch) error
	// abandon ends the life when a call in it was given up, and returns what came of that.
	abandon(err error) error
	survey(threads bool) (processState, error)
	// fault has a function of the system fail that the library calls, and tells what came of the last.
	fault(number uint64, mode probe.FaultMode) (probe.Faulted, error)
	// left tells what the plugin's code has left in its process.
	left() (probe.Left, error)
	// memory counts what the plugin does with host->alloc and host->free.
	memory() (hostvtable.Memory, bool)
	resident() uint64 // bytes; 0 where there is another bound
	lookAtConfig() (probe.Config, error)
	shutdown(ctx context.Context) error
	reload(ctx context.Context) error
	unanswered() (uint64, error)
	close() error
}

// processLife is a life in a process.
type processLife struct {
	*isolate.Session
	process *isolate.Plugin
	stacks  *stacks       // nil where the worker keeps to the limits itself
	limit   time.Duration // of a call
}

// controlLimit is how long another request may take that runs the plugin's code.
const controlLimit = 5 * time.Second

// call makes a call, or several, within the time limit.
func (l processLife) call(times int, f func() error) error {
	return l.stacks.limited(l.limit*time.Duration(times), transport.ErrTimeout, f)
}

// control is call for another request.
func (l processLife) control(f func() error) error {
	return l.stacks.limited(max(l.limit, controlLimit), transport.ErrNoAnswer, f)
}

func (l processLife) Invoke(ctx context.Context, c *abi.Call) error {
	return l.call(1, func() error { return l.Session.Invoke(ctx, c) })
}
func (l processLife) probe(ctx context.Context, c *probe.Call) error {
	return l.call(1, func() error { return probe.Invoke(ctx, l.Session, c) })
}
func (l processLife) batch(ctx context.Context, b *batch) error {
	return l.call(len(b.Calls), func() error { return probe.RunBatch(ctx, l.Session, b) })
}
func (l processLife) watch(ctx context.Context, w *probe.Watch) error {
	return l.control(func() error { return probe.RunWatch(ctx, l.Session, w) })
}

func (l processLife) abandon(err error) error {
	var abandoned *transport.AbandonedError
	if errors.As(err, &abandoned) {
		l.Kill(abandoned.Err)
		return abandoned.Wait()
	}
	return err
}

func (l processLife) survey(threads bool) (processState, error) {
	return probe.Survey(l.Session, threads)
}
func (l processLife) fault(number uint64, mode probe.FaultMode) (probe.Faulted, error) {
	return probe.ArmFault(l.Session, number, mode)
}
func (l processLife) left() (probe.Left, error)           { return probe.LookAtLeft(l.Session) }
func (l processLife) memory() (hostvtable.Memory, bool)   { return l.Session.Memory() }
func (l processLife) resident() uint64                    { return l.process.Status().RSS }
func (l processLife) lookAtConfig() (probe.Config, error) { return probe.LookAtConfig(l.Session) }
func (l processLife) shutdown(ctx context.Context) error {
	return l.control(func() error { return probe.Shutdown(ctx, l.Session) })
}
func (l processLife) reload(ctx context.Context) error {
	return l.control(func() error { return probe.Reload(ctx, l.Session) })
}
func (l processLife) unanswered() (uint64, error) { return probe.Unanswered(l.Session) }
func (l processLife) close() error                { return l.process.Close() }

func (w *worker) open() error {
	if w.plugin.module {
		return w.openModule()
	}
	return w.openProcess()
}

// loadTime is what loading may take.
func (w *worker) loadTime() time.Duration {
	slow := time.Duration(max(1, w.options.slow))
	return w.config.Timeout*slow + startTime*slow
}

// configure reads the library's text while it is loaded, for host, and for how it wants to be
// called where nyash.toml does not say.
func (w *worker) configure(threads *registry.Threads) func(text string) (native.Threads, error) {
	return func(text string) (native.Threads, error) {
		own, err := registry.ParseDescription(w.config.File, text)
		if err != nil {
			return *threads, nil // mistakes in the text are found elsewhere
		}
		w.host.introduced(own)
		if c := w.config; own.HasThreads && (c.Library == nil || !c.Library.HasThreads) {
			*threads = own.Threads
		}
		return *threads, nil
	}
}

// variables are those of the worker's environment, beside what it has anyway. GNU's C library
// overwrites what is freed, and what is handed out, with a byte that differs between the
// surroundings in which a sequence is played. Where memory is counted, it keeps nothing of what was
// freed for each thread: that counts as handed out, and there are more threads on a busy machine.
func (w *worker) variables() (all []string) {
	if w.shared.mark != "" {
		all = append(all, w.shared.mark)
	}
	switch {
	case w.options.survey:
		all = append(all, "GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1")
	case !w.options.brief:
	case w.options.plain:
		all = append(all, "MALLOC_PERTURB_=90")
	default:
		all = append(all, "MALLOC_PERTURB_=165")
	}
	return all
}

// atOnce is how many calls there are at the same time; 0 where that is not known: a library
// that calls its host is called by that, too, as deep as it goes.
func (w *worker) atOnce() int {
	if slices.Contains(w.plugin.exports, abi.SymbolConnect) {
		return 0
	}
	return 2 * stressThreads
}

func (w *worker) openProcess() error {
	c, o := w.config, &w.options
	config := isolate.Config{
		File: c.File, Unload: o.unload, Track: true, Survey: o.survey, Hooks: true, Guard: o.guard, Variables: w.variables(), Sink: &w.output, Output: w.output.print,
		Worker: c.Worker, Wrapper: o.wrapper, Dir: w.dir, CallTimeout: c.Timeout * time.Duration(max(1, o.slow)),
		InUse: func() bool { return true }, Tables: w.tableRequests(),
		Calls: w.host, Nested: true, Around: func(ctx context.Context, run func(context.Context)) { w.host.around(ctx, loading, run) },
	}
	if c.Library != nil {
		config.InvokeOnly, config.Threads = c.Library.InvokeOnly, c.Library.Threads
	}
	threads := config.Threads
	config.Configure = w.configure(&threads)
	if w.stacks != nil {
		config.Started = w.stacks.started
		config.CallTimeout += stackTime // the tester keeps to the limit itself
	}
	if o.wrapper != nil {
		// Debuggers are slow with shared memory of that size, and with spinning.
		config.Channel = isolate.ChannelPipe
	} else if limitsWork && !o.brief { // with a limit all threads are started before
		limit := uint64(memoryLimit)
		config.Limits.Memory, config.AtOnce = &limit, w.atOnce()
	}
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	w.kill = cancel
	late := time.AfterFunc(w.loadTime(), func() {
		if w.stacks == nil {
			cancel(errLoadTimeout)
			return
		}
		w.stacks.late(errLoadTimeout)
	})
	process, err := isolate.Open(ctx, config)
	late.Stop()
	if err != nil {
		return err
	}
	for _, b := range w.plugin.boxes {
		if b.table > 0 {
			if err := process.Route(b.typeID, b.table-1); err != nil {
				return errors.Join(err, process.Close())
			}
		}
	}
	session, err := process.Session(ctx)
	if err != nil {
		return err
	}
	w.kill = session.Kill
	w.life = processLife{session, process, w.stacks, config.CallTimeout}
	if w.stacks != nil {
		w.life = processLife{session, process, w.stacks, config.CallTimeout - stackTime}
	}
	w.host.connected(w.description(), threads)
	return nil
}
