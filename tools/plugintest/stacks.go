package plugintest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// stacks has a debugger look at a worker when it crashes or hangs, before it ends. A worker stops
// itself at a deadly signal; see package probe.
type stacks struct {
	w    *worker
	pid  int
	ends chan struct{} // closed when the process has ended

	mu      sync.Mutex // held while the worker stands still
	crashed bool
	killed  bool
	threads []stack
	mapped  string // its /proc/PID/maps when it crashed

	faults struct {
		sync.Mutex
		last *probe.Fault
	}
}

// stack is that of one thread, innermost frame first, as far as it is the plugin's.
type stack struct {
	frames  []string
	at      sourcePlace // of its first frame in the plugin's source
	crashed bool        // a deadly signal has come to it
}

const (
	// debuggerTime is what a debugger may take to look at a process.
	debuggerTime = 20 * time.Second
	// stackTime is how much longer than its time limit a call may go on, while a debugger looks
	// at it.
	stackTime = 2 * debuggerTime
	// stopTime is what a worker may take to end once it was continued.
	stopTime = 5 * time.Second
	// faultTime is what it may take at most to read what a worker has written of its end.
	faultTime = 10 * time.Second
	// maxFrames is how many frames of a stack are shown, and maxOthers of how many other threads.
	maxFrames = 16
	maxOthers = 3
)

// started begins to watch a worker that has started.
func (s *stacks) started(pid int) {
	s.pid, s.ends = pid, make(chan struct{})
	go func() {
		defer close(s.ends)
		for waitStopped(pid) {
			s.stopped()
		}
	}()
}

// stopped lets a worker end that has stopped itself, once its stacks are known. One that the plugin
// has stopped is killed: a host does not continue it.
func (s *stacks) stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.crashed && !s.toldFault() {
		if s.wanted("stop") {
			s.threads = lookAt(s.w.ctx, s.pid, s.w.config.File)
		}
		s.killed = true
		s.w.kill(errStopped)
		return
	}
	if !s.crashed {
		s.crashed = true
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", s.pid)); err == nil {
			s.mapped = string(text)
		}
		if s.wanted("crash") {
			s.threads = lookAt(s.w.ctx, s.pid, s.w.config.File)
		}
	}
	goOn(s.pid)
}

// toldFault tells whether the worker has told of a deadly signal, as it does before it stops. What it
// has written may still have to be read.
func (s *stacks) toldFault() bool {
	const tries = 200
	for range tries {
		s.faults.Lock()
		told := s.faults.last != nil
		s.faults.Unlock()
		if told {
			return true
		}
		select {
		case <-s.w.ctx.Done():
			return true
		case <-time.After(faultTime / tries):
		}
	}
	return false
}

// wanted tells whether stacks of this end are reported: once for what is called, and some more
// times where several calls are.
func (s *stacks) wanted(end string) bool {
	if s.w.options.quiet || s.w.options.unseen {
		return false
	}
	at, most := "init", 1
	if doing := s.w.doing.Load(); doing != nil {
		at = doing.m.String()
		if doing.concurrent {
			at, most = "concurrent calls", maxConcurrentEnds
		}
	}
	return s.w.shared.lookedAt.count(end+" "+at) <= most
}

// maxConcurrentEnds is how often a worker's stacks are looked at that ends while several calls
// are under way.
const maxConcurrentEnds = 4

// counts counts by name. It is safe for concurrent use.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[name]++
	return c.n[name]
}

// limited runs f, a request to the worker that may take so long, and otherwise kills it for the
// cause when a debugger has looked at it.
func (s *stacks) limited(limit time.Duration, cause error, f func() error) error {
	if s == nil || s.pid == 0 {
		return f()
	}
	done := make(chan struct{})
	defer close(done)
	timer := time.AfterFunc(limit/2, func() {
		if s.outlasts(limit/2, done) {
			s.late(cause)
		}
	})
	defer timer.Stop()
	return f()
}

// maxStarved is how many halves of a time limit a worker may take after the first, where the system
// lets it hardly run.
const maxStarved = 4

// outlasts tells whether a request is not done within so long, or some more where the machine is too
// busy to let the worker run.
func (s *stacks) outlasts(half time.Duration, done <-chan struct{}) bool {
	for range maxStarved {
		before := scheduleOf(s.pid)
		select {
		case <-done:
			return false
		case <-time.After(half):
		}
		if half > debuggerTime/maxStarved || !scheduleOf(s.pid).isStarved(before, half) {
			return true
		}
	}
	return true
}

// late ends a worker that does not answer.
func (s *stacks) late(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed { // it ends of that
		select {
		case <-s.ends:
		case <-time.After(stopTime):
			s.w.kill(cause)
		}
		return
	}
	if s.killed {
		return
	}
	s.killed = true
	if s.wanted("hang") {
		s.threads = lookAt(s.w.ctx, s.pid, s.w.config.File)
	}
	s.w.kill(cause)
}

// taken are the stacks that were found: of a crash the thread that crashed first, and else those
// that are in the plugin.
func (s *stacks) taken() []stack {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.threads
}

// note keeps what a worker says of a deadly signal; it returns what else the line has.
func (s *stacks) note(line string) (rest string, ok bool) {
	f, rest, ok := probe.ParseFault(line)
	if !ok {
		return line, false
	}
	s.faults.Lock()
	defer s.faults.Unlock()
	if s.faults.last == nil {
		s.faults.last = &f
	}
	return rest, true
}

// fault is the deadly signal that the worker has told of first.
func (s *stacks) fault() (f probe.Fault, ok bool) {
	if s == nil {
		return f, false
	}
	s.faults.Lock()
	defer s.faults.Unlock()
	if s.faults.last == nil {
		return f, false
	}
	return *s.faults.last, true
}

// attach is the command line of a debugger that prints the stacks of a process, without the id.
var attach = []string{"gdb", "-batch", "-nx", "-q", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off",
	"-iex", "set pagination off", "-iex", "set print thread-events off", "-iex", "set width 0",
	"-iex", "set print frame-info location-and-address", "-iex", "set filename-display absolute",
	"-ex", "thread apply all bt 40", "-p"}

// lookAt are the stacks of a process's threads that are in the plugin, which is a library; none where no
// debugger is installed, or it may not look.
func lookAt(ctx context.Context, pid int, library string) []stack {
	if _, err := exec.LookPath(attach[0]); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, debuggerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, attach[0], append(slices.Clone(attach[1:]), strconv.Itoa(pid))...)
	cmd.WaitDelay = time.Second
	maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	self, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if file, err := filepath.EvalSymlinks(library); err == nil {
		library = file
	}
	text, _ := cmd.Output() // what it has printed counts
	return readStacks(string(text), func(frame string) module {
		m := frameAddress.FindStringSubmatch(frame)
		if m == nil {
			return moduleUnknown
		}
		addr, err := strconv.ParseUint(m[1], 16, 64)
		file, _, ok := fileAt(string(maps), addr)
		switch {
		case err != nil || !ok:
			return moduleUnknown
		case file == self:
			return moduleWorker
		case file == library:
			return modulePlugin
		}
		return moduleOther
	})
}

// module is whose code a frame is in.
type module int

const (
	moduleUnknown module = iota
	modulePlugin         // the plugin's library
	moduleOther          // another one, the C library say
	moduleWorker
)

// frameAddress is where a frame is in memory.
var frameAddress = regexp.MustCompile(`^#\d+\s+0x([0-9a-f]+) in `)

var (
	threadLine = regexp.MustCompile(`^Thread \d+ `)
	// systemFrame is a frame of the C library, or one below which a thread has nothing.
	systemFrame = regexp.MustCompile(` from \S*/(libc|libpthread|ld-linux|ld-musl)[^/]*$| at (\.\./sysdeps|\./(nptl|stdlib|string|malloc|signal|libio|elf|posix|debug|io|time|misc|socket|stdio-common|setjmp|math|wcsmbs|ctype|locale|dirent|csu))/`)
	bottomFrame = regexp.MustCompile(`^(start_thread|clone3?|__clone3?) `)
)

// anotherThread begins the line above the frames of another thread.
const anotherThread = "another thread"

const handlerFrame = "<signal handler called>"

// readStacks reads what the debugger printed; those of threads that crashed come first. in tells in whose
// code a frame is.
func readStacks(text string, in func(frame string) module) (all []stack) {
	var lines []string
	add := func() {
		if s, ok := readStack(lines, in); ok {
			all = append(all, s)
		}
		lines = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if threadLine.MatchString(line) {
			add()
		} else {
			lines = append(lines, line)
		}
	}
	add()
	slices.SortStableFunc(all, func(a, b stack) int {
		switch {
		case a.crashed == b.crashed:
			return 0
		case a.crashed:
			return -1
		}
		return 1
	})
	return all
}

// readStack reads the frames of one thread. It is none where nothing of it is the plugin's.
func readStack(lines []string, in func(frame string) module) (s stack, ok bool) {
	ended := false
	var own, others []string // frames: the library's, and those that may be
	for _, line := range lines {
		m := frameLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		frame := m[1]
		if frame == handlerFrame { // what is above is the handler's
			s, ended = stack{crashed: true}, false
			own, others = nil, nil
			continue
		}
		module := in(line)
		if ended || module == moduleWorker || hostFrame(frame) || bottomFrame.MatchString(frame) {
			ended = true
			continue
		}
		frame = shownFrame(frame)
		s.frames = append(s.frames, frame)
		switch module {
		case modulePlugin:
			own = append(own, frame)
		case moduleUnknown:
			others = append(others, frame)
		}
	}
	if s.at = placeIn(own); s.at.file == "" {
		s.at = placeIn(others)
	}
	ok = slices.ContainsFunc(s.frames, func(f string) bool { return !systemFrame.MatchString(f) })
	return s, ok || s.crashed && len(s.frames) > 0
}

// setStacks shows stacks: the first, and which others there are.
func (f *Finding) setStacks(all []stack) {
	others := 0
	for i, s := range all {
		frames := s.frames[:min(maxFrames, len(s.frames))]
		if i == 0 {
			f.Backtrace = slices.Clone(frames)
		}
		if f.File == "" {
			f.Function, f.File, f.Line = s.at.function, s.at.file, s.at.line
		}
		if i == 0 {
			continue
		}
		if others++; others > maxOthers {
			f.Backtrace = append(f.Backtrace, fmt.Sprintf("and %s in the plugin", plural(len(all)-i, "other thread")))
			break
		}
		head := anotherThread + ":"
		if s.crashed {
			head = anotherThread + ", which crashed too:"
		}
		f.Backtrace = append(f.Backtrace, head)
		f.Backtrace = append(f.Backtrace, frames[:min(maxFrames/4, len(frames))]...)
	}
}

// placeIn is the place in the source of the first of a stack's frames that has one in the plugin's own.
func placeIn(frames []string) sourcePlace {
	places := make([]sourcePlace, 0, len(frames))
	for _, frame := range frames {
		at := sourceLine.FindStringSubmatch(frame)
		if at == nil || systemFrame.MatchString(frame) {
			continue
		}
		line, _ := strconv.Atoi(at[3])
		places = append(places, sourcePlace{function: at[1], file: at[2], line: line})
	}
	return authorsPlace(places)
}

// authorsPlace is the first of the places of a stack that its author has written: where there is one it is not
// the SDK's, whose caller had it do what it does wrong, nor that of a library that is linked in.
func authorsPlace(places []sourcePlace) (at sourcePlace) {
	for _, p := range places {
		switch {
		case p.file == "" || foreignSource.MatchString(p.file):
		case !p.ofSDK():
			return p
		case at.file == "":
			at = p
		}
	}
	return at
}

// foreignSource is a file of a language's own library, or of a package that was downloaded.
var foreignSource = regexp.MustCompile(`^(/rustc/|library/\w+/src/|/usr/(include|lib|share|src)/)|/(\.cargo/(registry|git)|\.rustup|pkg/mod|src/runtime|c\+\+/\d+|zig\S*/lib/(std|compiler))/`)

// ofSDK tells whether a place is in a header of the SDKs for C and C++, or in the crate of the one for Rust.
func (p sourcePlace) ofSDK() bool {
	return ofSDK(p.file) || strings.HasPrefix(p.function, "nyash::") || strings.HasPrefix(p.function, "<nyash::")
}

// ofSDK tells whether a file is a header of the SDKs for C and C++.
func ofSDK(file string) bool {
	name := filepath.Base(file)
	return name == "nyash.h" || name == "nyash.hpp"
}

// notOfAuthor tells whether a file of the source is not one of the author's: the SDK's, or a header of the system.
func notOfAuthor(file string) bool {
	return ofSDK(file) || strings.HasPrefix(file, "/usr/") || strings.Contains(file, "/include/c++/")
}

// describeFault shows where the worker crashed, without a debugger: the module and its function.
func (s *stacks) describeFault(f *Finding) {
	if s == nil {
		return
	}
	fault, ok := s.fault()
	s.mu.Lock()
	mapped := s.mapped
	s.mu.Unlock()
	if !ok || mapped == "" {
		return
	}
	place, ok := placeOf(mapped, fault.PC)
	if !ok {
		return
	}
	f.Backtrace = []string{contract.Printable(place.String())}
	if place.line > 0 {
		f.Function, f.File, f.Line = place.function, place.file, place.line
	}
}
