package plugintest

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// reportExit reports that the worker exited, or was killed, during a call.
func (w *worker) reportExit(at *step, err error) {
	if w.options.quiet || w.env.ctx.Err() != nil {
		return
	}
	if at.concurrent && w.shared.workerExit {
		return // any thread's call can be hit; the fault was reported before
	}
	w.shared.workerExit = true
	if f := w.exitFinding(at, err); f.Code != "" {
		w.scripted(at, &f)
		if f.Code == codeCrash && at.m.box != nil && at.m == at.m.box.fini {
			f.Fix = "the backtrace says where: look at what owns the memory that fini frees, where instances are copied and where methods fail" +
				pick(f.Sequence != "", "; run the script to see it again", "")
		}
		w.add(f)
		w.save(&f)
	}
}

// exited reports whether a worker exited in a function of the library.
func (e *env) exited(function string) bool {
	m := libraryFunc(function)
	return e.has(codeCrash, m) || e.has(codeExit, m) || e.has(codeHang, m)
}

var loadCodes = []struct {
	reason error
	code   string
}{
	{native.ErrNotLibrary, codeNotLibrary},
	{native.ErrOpen, codeLoad},
	{native.ErrSymbol, codeSymbol},
	{native.ErrVersion, codeABI},
	{native.ErrConnect, codeConnect},
	{native.ErrInit, codeInit},
	{native.ErrDescription, codeDescription},
}

// loadFinding is why the library cannot be loaded.
func (w *worker) loadFinding(err error) Finding {
	var crash *transport.CrashError
	ended := errors.As(err, &crash) && crash.Module
	for _, c := range loadCodes {
		if !ended && errors.Is(err, c.reason) {
			var refused *native.Error
			message := err.Error()
			if errors.As(err, &refused) && refused.Detail != "" {
				message = refused.Detail
			}
			if c.code == codeDescription && strings.Contains(message, abi.SymbolConfig) {
				c.code = codeConfig // there is one reason for both
			}
			f := Finding{Code: c.code, Message: message, Log: w.output.lastLines()}
			if c.code == codeSymbol && slices.Contains(w.plugin.exports, abi.SymbolInvoke) {
				rule, _ := RuleOf(codeSymbol)
				f.Fix = rule.Fix + "; with nyash_plugin_invoke alone it is a library for [libraries] of a nyash.toml: give that with --config"
			}
			return f
		}
	}
	at := "init"
	box := w.endsInResolve(err)
	if box != "" {
		at = nameResolve
	}
	f := w.exitFinding(&step{m: libraryFunc(at)}, err)
	f.Box = box
	if f.Code == "" && !errors.Is(err, transport.ErrCrashed) {
		f = Finding{Code: codeLoad, Message: err.Error(), Log: w.output.lastLines()}
	}
	return f
}

// exitFinding is why a worker exited. It has no code where the plugin is not to
// blame, or where a crash at this place was explained before.
func (w *worker) exitFinding(at *step, err error) Finding {
	f := Finding{Method: at.m.name}
	if at.m.box != nil {
		f = at.finding("", "")
	}
	f.Log, f.HostCalls = w.output.lastLines(), w.host.lastCalls()
	var crash *transport.CrashError
	switch {
	case errors.Is(err, errRunaway):
		f.Code, f.Message = codeMemory, fmt.Sprintf("it took more than %d MiB", memoryLimit*3/4>>20)
	case errors.Is(err, errDiskFull):
		f.Code, f.Message = codeMemory, fmt.Sprintf("what it wrote to its folder took more than %d MiB", diskLimit>>20)
	case errors.Is(err, errStopped):
		f.Code, f.Message = codeHang, "it stopped its process (SIGSTOP), which then stands still for ever"
		f.setStacks(w.stacks.taken())
	case isHang(err):
		f.Code, f.Message = codeHang, fmt.Sprintf("no answer after %v", w.config.Timeout)
		f.setStacks(w.stacks.taken())
		f.foldRecursion()
	case errors.Is(err, transport.ErrLost):
		f.Code, f.Message = codeExit, "its process ended while no call was made: a thread that the plugin has started ended it"
	case !errors.As(err, &crash):
		if at.m.box == nil {
			f.Code, f.Message = codeReload, err.Error() // the function failed, and the worker lives
		}
	case crash.Module:
		moduleFinding(&f, crash)
	case crash.Signal == 0:
		f.Code, f.Message = codeExit, fmt.Sprintf("the process ended with status %d", crash.Status)
	default:
		f.Code, f.Message = codeCrash, transport.SignalName(crash.Signal)
		if w.shared.explained[f.Place()] {
			return Finding{}
		}
		w.shared.explained[f.Place()] = true
		if w.misused(&f) {
			break
		}
		w.explain(at, crash.Signal, &f)
		if len(f.Backtrace) == 0 {
			f.setStacks(w.stacks.taken())
		}
		if len(f.Backtrace) == 0 {
			w.stacks.describeFault(&f)
		}
		w.fullStack(&f, crash.Signal)
	}
	return f
}

func isHang(err error) bool {
	return errors.Is(err, transport.ErrTimeout) || errors.Is(err, transport.ErrNoAnswer) || errors.Is(err, errLoadTimeout) || errors.Is(err, errStopped)
}

// explain finds the cause of a crash by making the same calls again in other
// layouts of memory, and its place in the source with a debugger.
func (w *worker) explain(at *step, signal syscall.Signal, f *Finding) {
	if at.concurrent {
		f.Message += fmt.Sprintf(", while %d threads called the plugin", stressThreads)
		return
	}
	if at.m.box == nil || len(w.trace) == 0 || w.options.wrapper != nil || len(w.trace) > maxReplay {
		return
	}
	if signal != syscall.SIGSEGV && signal != syscall.SIGBUS || !w.replay(0).crashed {
		w.backtrace(f) // no fault of memory, or it does not always happen
		return
	}
	switch again := w.replay(layoutSlack | layoutKeep); {
	case !again.ran:
		return
	case again.crashed:
		w.backtrace(f)
	case again.damage&(damageBehindResult|damageBeforeResult) != 0:
		f.Code, f.Message = codeOverrun, fmt.Sprintf("it wrote far past the end of its result buffer of %d bytes: %s", at.resultSize, f.Message)
	case w.replay(layoutKeep).crashed:
		where := pick(at.layout&layoutAtStart != 0, "in front of", "past")
		f.Code, f.Message = codeOverread, fmt.Sprintf("it read %s the %d bytes of args%s: %s", where, len(at.args), at.orBlobs(), f.Message)
		w.backtrace(f)
	default:
		w.shared.keepsMemory = true
		f.Code, f.Message = codeKept, "it used memory of an earlier call: "+f.Message
		w.backtrace(f)
	}
}

// maxReplay is the largest number of calls that are replayed.
const maxReplay = 20_000

type replayed struct {
	ran, crashed bool
	damage       damage // of the last call
}

// replay makes all calls of the worker again, with another layout, in another
// worker.
func (w *worker) replay(layout layout) (out replayed) {
	again := w.startQuiet(workerOptions{unload: w.options.unload})
	if again == nil {
		return out
	}
	defer again.close()
	out.ran = true
	for i := range w.trace {
		a, err := again.again(&w.trace[i], layout)
		if err != nil {
			out.crashed = true
			return out
		}
		out.damage = a.damage
	}
	return out
}

// startQuiet starts a worker that reports nothing; nil where it cannot.
func (e *env) startQuiet(o workerOptions) *worker {
	o.quiet = true
	w, err := e.start(o)
	if err != nil {
		return nil
	}
	return w
}

// debugger runs a worker until it crashes, and prints its stack.
var debugger = []string{"gdb", "-batch", "-nx", "-q", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off",
	"-iex", "set filename-display absolute", "-ex", "set pagination off", "-ex", "set print thread-events off", "-ex", "set startup-with-shell off",
	"-ex", "handle SIGURG SIGPIPE SIGPROF SIGCHLD nostop noprint pass",
	"-ex", "run", "-ex", "bt 16", "--args"}

var frameLine = regexp.MustCompile(`^#\d+\s+(?:0x[0-9a-f]+ in )?(.*)$`)

// sourceLine is a frame whose place in the source is known.
var sourceLine = regexp.MustCompile(`^(.+?) \(.*\) at (.+):(\d+)$`)

// backtrace replays the calls under a debugger, where one is installed.
func (w *worker) backtrace(f *Finding) {
	if len(w.stacks.taken()) > 0 {
		return // they are of the crash itself
	}
	if _, err := exec.LookPath(debugger[0]); err != nil {
		return
	}
	again := w.startQuiet(workerOptions{unload: w.options.unload, wrapper: debugger, slow: 4})
	if again == nil {
		return
	}
	defer again.close()
	for i := range w.trace {
		if _, err := again.again(&w.trace[i], 0); err != nil {
			break
		}
	}
	if !again.life.Lost() {
		return // it did not crash this time
	}
	f.readBacktrace(again.output.printedLines())
}

// readBacktrace takes the plugin's frames from what the debugger printed.
func (f *Finding) readBacktrace(printed []string) {
	for _, line := range printed {
		m := frameLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if hostFrame(m[1]) {
			break
		}
		f.Backtrace = append(f.Backtrace, shownFrame(m[1]))
	}
	at := placeIn(f.Backtrace)
	f.Function, f.File, f.Line = at.function, at.file, at.line
}

// hostFrame reports whether a frame is the worker's own.
func hostFrame(frame string) bool {
	return strings.Contains(frame, "invoke_amd64.s") || strings.Contains(frame, "invoke_arm64.s") ||
		strings.HasPrefix(frame, "runtime.") || strings.Contains(frame, "asmcgocall")
}
