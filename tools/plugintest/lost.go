package plugintest

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// lostAt takes note of a worker that a call has ended.
func (t *Tester) lostAt(r *rig, at *step, err error) {
	if r.options.quiet || t.ctx.Err() != nil {
		return
	}
	if at.racing && t.lost {
		return // whoever called was hit, and what hits was told
	}
	t.lost = true
	if f := t.lostFinding(r, at, err); f.Code != "" {
		t.add(f)
	}
}

// lostFinding is what became of a worker. It has no code where the plugin is not
// to blame.
func (t *Tester) lostFinding(r *rig, at *step, err error) Finding {
	f := Finding{Method: at.m.name, Log: r.lastLines()}
	if at.m.box != nil {
		f.Box, f.Call, f.Input = at.m.box.name, showCall(at), hexText(at.args)
	}
	var crash *transport.CrashError
	switch {
	case errors.Is(err, errRunaway):
		f.Code, f.Message = codeMemory, fmt.Sprintf("it took more than %d MiB", memoryLimit*3/4>>20)
	case errors.Is(err, transport.ErrTimeout), errors.Is(err, transport.ErrNoAnswer), errors.Is(err, errLoadHang):
		f.Code, f.Message = codeHang, fmt.Sprintf("no answer after %v", t.config.Timeout)
	case !errors.As(err, &crash):
		if at.m.box == nil {
			f.Code, f.Message = codeReload, err.Error() // it was refused, and lives
		}
	case crash.Signal == 0:
		f.Code, f.Message = codeExit, fmt.Sprintf("the process ended with status %d", crash.Status)
	default:
		f.Code, f.Message = codeCrash, transport.SignalName(crash.Signal)
		if t.explained[f.Place()] {
			return Finding{} // there is one of this place, whatever it was found to be
		}
		t.explained[f.Place()] = true
		t.explain(r, at, crash.Signal, &f)
	}
	return f
}

// explain finds out more about a crash, by doing it again.
func (t *Tester) explain(r *rig, at *step, signal syscall.Signal, f *Finding) {
	if at.racing {
		f.Message += fmt.Sprintf(", while %d threads called the plugin", stressThreads)
		return
	}
	if at.m.box == nil || len(r.trace) == 0 || r.options.wrapper != nil || len(r.trace) > maxReplay {
		return
	}
	if signal != syscall.SIGSEGV && signal != syscall.SIGBUS || !t.replay(r, 0).crashed {
		t.backtrace(r, f) // it ended itself, or is not always the same
		return
	}
	switch again := t.replay(r, wire.Slack|wire.Keep); {
	case !again.ran:
		return
	case again.crashed:
		t.backtrace(r, f)
	case again.damage&(wire.BehindResult|wire.BeforeResult) != 0:
		f.Code, f.Message = codeOverrun, fmt.Sprintf("it wrote far past the %d bytes that it had: %s", at.room, f.Message)
	case t.replay(r, wire.Keep).crashed:
		f.Code, f.Message = codeOverread, fmt.Sprintf("it read behind the %d bytes of args: %s", len(at.args), f.Message)
		t.backtrace(r, f)
	default:
		t.kept = true
		f.Code, f.Message = codeKept, "it used memory of an earlier call: "+f.Message
		t.backtrace(r, f)
	}
}

// maxReplay is the most calls that are made again for a crash.
const maxReplay = 20_000

type replayed struct {
	ran, crashed bool
	damage       wire.Damage // of the last call
}

// replay makes all calls of a rig again, with another layout, in another worker.
func (t *Tester) replay(r *rig, layout wire.Layout) (out replayed) {
	again := t.quietRig(rigOptions{unload: r.options.unload})
	if again == nil {
		return out
	}
	defer t.end(again)
	out.ran = true
	for _, s := range r.trace {
		s.layout = s.layout | layout
		a, err := again.raw(&s)
		if err != nil {
			out.crashed = true
			return out
		}
		out.damage = a.damage
	}
	return out
}

// quietRig is a rig that finds nothing, or nil.
func (t *Tester) quietRig(o rigOptions) *rig {
	o.quiet = true
	r, err := t.open(o)
	if err != nil {
		return nil
	}
	return r
}

// debugger runs a worker until it crashes, and prints its stack.
var debugger = []string{"gdb", "-batch", "-nx", "-q", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off",
	"-ex", "set pagination off", "-ex", "set print thread-events off", "-ex", "set startup-with-shell off",
	"-ex", "handle SIGURG SIGPIPE SIGPROF SIGCHLD nostop noprint pass",
	"-ex", "run", "-ex", "bt 16", "--args"}

var frameLine = regexp.MustCompile(`^#\d+\s+(?:0x[0-9a-f]+ in )?(.*)$`)

// sourceLine is a frame whose place in the source is known.
var sourceLine = regexp.MustCompile(`^(\S+) \(.*\) at (.+):(\d+)$`)

// backtrace has a debugger watch the same calls again, where there is one.
func (t *Tester) backtrace(r *rig, f *Finding) {
	if _, err := exec.LookPath(debugger[0]); err != nil {
		return
	}
	again := t.quietRig(rigOptions{unload: r.options.unload, wrapper: debugger, slow: 4})
	if again == nil {
		return
	}
	defer t.end(again)
	for _, s := range r.trace {
		if _, err := again.raw(&s); err != nil {
			break
		}
	}
	if !again.session.Lost() {
		return // it did not happen again
	}
	again.mu.Lock()
	defer again.mu.Unlock()
	for _, line := range again.printed {
		m := frameLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if strings.Contains(m[1], "invoke_amd64.s") || strings.Contains(m[1], "invoke_arm64.s") || strings.HasPrefix(m[1], "runtime.") || strings.Contains(m[1], "asmcgocall") {
			break // the host's side
		}
		f.Backtrace = append(f.Backtrace, m[1])
		if at := sourceLine.FindStringSubmatch(m[1]); at != nil && f.File == "" {
			f.Function, f.File = at[1], at[2]
			f.Line, _ = strconv.Atoi(at[3])
		}
	}
}
