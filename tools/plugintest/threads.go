package plugintest

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// The calls of two threads meet here in chosen places: one is stopped before an instruction of
// the library, the other makes its call, and the first goes on. What they answer, and what is
// answered afterwards, must be what one of the two orders of whole calls gives. So a fault
// shows each time, however seldom it would by chance, and on one processor too.

const (
	// firstTime is what the first round of the meetings of a box may take, which is long enough
	// on a machine that has other work, watchTime what the one that watches memory may, and
	// laterTime what the last may.
	firstTime = 15 * time.Second
	watchTime = 5 * time.Second
	laterTime = 4 * time.Second
	// programTime is what one run of the driver may take, beside the time limit of a call.
	programTime = 20 * time.Second
	// mostDrivers is how many drivers make runs at once.
	mostDrivers = 4
)

// threadsCheck has calls meet in chosen places.
var threadsCheck = check{name: "threads", summary: "calls that are stopped in the middle while another thread calls", needs: needsBoxes, timed: true, run: meet}

// meetings tries the calls of a box on two threads.
type meetings struct {
	*env
	box    *box
	driver string
	acts   []*act
	code   *code
	warm   []*act  // of those, what fills an instance
	copier *method // that makes an instance of another one; nil for none
	bad    map[*method]bool
	traces map[traceKey]traces
	met    map[metKey]bool // places at which calls were watched
	// stopped are the places at which the first call of a meeting was stopped, without being watched.
	stopped map[stopKey]bool
	// atomics: an atomic instruction was seen.
	atomics bool
	// builtins: one was seen that is not of a header with atomic operations.
	builtins bool
	// pace is how long a run takes: one that watches memory, or not.
	pace map[bool]time.Duration
}

// meet tries the meetings of all boxes.
func meet(e *env) error {
	if e.plugin.module {
		return nil
	}
	if runtime.NumCPU() == 1 {
		e.skip("calls that run at the same time: there is one processor, on which threads hardly meet; only calls that are stopped in the middle were tried")
	}
	if err := e.learn(); err != nil {
		return err
	}
	driver, err := e.meetingDriver()
	if err != nil {
		e.skip("calls that are stopped in the middle while another thread calls: %v", err)
		return nil
	}
	if driver == "" || e.shared.keepsMemory {
		return nil
	}
	code := codeOf(e.config.File)
	defer code.close()
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] {
			continue
		}
		x := &meetings{env: e, box: b, driver: driver, code: code, bad: make(map[*method]bool), traces: make(map[traceKey]traces), met: make(map[metKey]bool), stopped: make(map[stopKey]bool),
			pace: map[bool]time.Duration{false: 5 * time.Millisecond, true: 40 * time.Millisecond}} // of a busy machine
		err := x.all()
		var ended *interleave.EndedError
		if errors.As(err, &ended) {
			x.reportEnded(ended)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reportEnded reports that the plugin has ended the process that starts its own.
func (x *meetings) reportEnded(ended *interleave.EndedError) {
	if ended.Signal == "" {
		x.skip("%s: meetings of calls: the process that starts the plugin's stood still, and was ended", x.box.name)
		return
	}
	x.shared.endsOthers = true
	x.add(Finding{
		Code: codeExit, Box: x.box.name,
		Message:  fmt.Sprintf("the process that started the plugin's was ended (%s) while its methods were called: the meetings of calls were not tried further", ended.Signal),
		Expected: "no signals to other processes: that process is the host's",
		Fix:      "send signals to processes that the plugin has started alone: not to getppid(), to groups or to all",
	})
}

// meetingDriver is the program that makes the calls. It is empty for a library that is never
// called from two threads at once.
func (e *env) meetingDriver() (string, error) {
	switch {
	case !e.freeThreads():
		return "", nil
	case e.plugin.own.init.Connects:
		return "", errors.New("the library calls its host, which is not there")
	case bringsGo(e.config.File):
		return "", errors.New("the library brings the runtime of Go, whose threads cannot be stopped so")
	case runtime.GOARCH != "amd64":
		return "", errors.New("it is for amd64")
	}
	return interleave.Build(e.ctx)
}

// bringsGo tells whether a library was built with Go, as its build information says.
func bringsGo(file string) bool {
	_, err := buildinfo.ReadFile(file)
	return err == nil
}

// freeThreads tells whether hosts call the library from several threads at once.
func (e *env) freeThreads() bool {
	if c := e.config.Library; c != nil && c.HasThreads {
		return c.Threads == registry.ThreadsFree
	}
	if own := e.plugin.own.text; own != nil && own.HasThreads {
		return own.Threads == registry.ThreadsFree
	}
	return true
}

// act is what a thread does when it meets another.
type act struct {
	m     *method
	kind  interleave.Kind
	args  [3]values // by variant
	setup []setupCall
	reads bool // it changes no answer of others
	lends bool // instances of the same box are among its arguments
}

// variant is which arguments an act has.
type variant int

const (
	alike    variant = iota // those that the sample has
	ofFirst                 // others, for the first thread
	ofSecond                // and for the second
)

// meeting is one act on each of two threads.
type meeting struct {
	acts     [2]*act
	variants [2]variant
	separate bool // on two instances
	apart    bool // of which each is prepared for its act alone
	before   bool // the first act was made on the second instance before: what they share is that one's alone
	warm     bool // instances that other methods have filled
	copied   bool // the second is a copy of the first
}

// round is how all meetings are tried.
type round struct {
	stops int           // about how many places there are in a call
	watch bool          // look for memory that both calls use
	time  time.Duration // that it may take
}

// rounds have few places at first, so that each meeting has its turn.
var rounds = []round{{stops: 40, time: firstTime}, {stops: 1 << 14, watch: true, time: watchTime}, {stops: 1 << 14, time: laterTime}}

// all tries all meetings, the likely ones first, and those with more places again.
func (x *meetings) all() error {
	if err := x.findActs(); err != nil || len(x.acts) == 0 {
		return err
	}
	conflicts, err := x.conflicts()
	if err != nil {
		return err
	}
	every := append([][]meeting{conflicts}, x.list()...)
	for _, r := range rounds {
		r.time *= time.Duration(x.stretch)
		if x.config.For > 0 {
			r.time = max(x.config.For*r.time/firstTime, min(r.time, x.config.For))
		}
		if err := x.round(every, r); err != nil {
			return err
		}
	}
	return nil
}

// conflictShare is the part of a round's time that the first list has at most, one in so many, and listShare that of the
// others of what is left.
const conflictShare, listShare = 4, 2

// round tries all meetings in some places each. The likely ones have a share of the time, however many
// there are of the others, and so has each list of these.
func (x *meetings) round(every [][]meeting, r round) error {
	all, tried := 0, 0
	until := time.Now().Add(r.time)
	for i, list := range every {
		if r.watch {
			list = watched(list)
		}
		all += len(list)
		end := until
		if i < len(every)-1 {
			share := time.Duration(listShare)
			if i == 0 {
				share = conflictShare
			}
			end = time.Now().Add(time.Until(until) / share)
		}
		for left := list; len(left) > 0 && time.Now().Before(end); {
			n, err := x.try(left, r, time.Until(end))
			if err != nil {
				return err
			}
			left = left[n:]
			tried += n
		}
	}
	if tried < all {
		x.line("%s: %d of %d meetings of two calls were tried%s", x.box.name, tried, all, r.what())
		return nil
	}
	x.line("%s: %d meetings of two calls were tried%s", x.box.name, tried, r.what())
	return nil
}

// what tells a person what a round is.
func (r round) what() string {
	switch {
	case r.watch:
		return " for memory that both use"
	case r.stops > rounds[0].stops:
		return " in all places"
	}
	return ""
}

// list is all meetings, in three lists, the likely ones first.
func (x *meetings) list() [][]meeting {
	var lending []meeting // of two acts that are given the other's instance, which may take two locks
	var own [5][]meeting  // those of each act with itself, of one kind after the other
	var apart, cross, rest []meeting
	for _, a := range x.acts {
		for _, b := range x.acts {
			distinct := [2]variant{ofFirst, ofSecond}
			pair := [2]*act{a, b}
			call := a.kind == interleave.KindCall && b.kind == interleave.KindCall
			switch {
			case a == b:
				own[0] = append(own[0], meeting{acts: pair, variants: distinct})
				if !call {
					continue
				}
				own[2], own[3] = append(own[2], meeting{acts: pair}), append(own[3], meeting{acts: pair, warm: true})
				if !x.box.singleton {
					own[1] = append(own[1], meeting{acts: pair, separate: true, warm: true})
					if !a.reads && len(a.args[alike]) > 0 {
						own[1] = append(own[1], meeting{acts: pair, variants: [2]variant{alike, ofSecond}, separate: true, apart: true, before: true})
					}
					others := meeting{acts: pair, variants: distinct, separate: true}
					if a.reads { // what it puts together is not of the instance, perhaps
						own[1] = append(own[1], others)
					} else {
						cross = append(cross, others)
					}
					cross = append(cross, meeting{acts: pair, separate: true})
				}
				rest = append(rest, meeting{acts: pair, variants: distinct, warm: true})
			case a.reads && b.reads:
				rest = append(rest, meeting{acts: pair, warm: true})
			default:
				switch {
				case x.box.singleton || a.reads || a.kind != interleave.KindCall:
				case b.kind == interleave.KindFini:
					apart = append(apart, meeting{acts: pair, separate: true, apart: true, before: true})
				case call && !b.reads && shareNames(a, b):
					apart = append(apart, meeting{acts: pair, separate: true, apart: true})
				}
				cross = append(cross, meeting{acts: pair, warm: true})
				rest = append(rest, meeting{acts: pair, variants: distinct})
				if call && !x.box.singleton {
					rest = append(rest, meeting{acts: pair, separate: true, warm: true})
				}
			}
			if x.copier != nil && a.kind != interleave.KindBirth && b.kind != interleave.KindBirth {
				m := meeting{acts: pair, separate: true, warm: true, copied: true}
				if a == b {
					own[0] = append(own[0], m)
				} else {
					cross = append(cross, m)
				}
			}
			if a.lends && b.lends && !x.box.singleton {
				lending = append(lending, meeting{acts: pair, separate: true, warm: true})
			}
			if call && (a.lends != b.lends) {
				own[4] = append(own[4], meeting{acts: pair, separate: true, warm: true})
			}
		}
	}
	return [][]meeting{slices.Concat(lending, slices.Concat(own[:]...)), slices.Concat(apart, cross), rest}
}

// shareNames tells whether two acts are given the same text.
func shareNames(a, b *act) bool {
	return slices.ContainsFunc(a.args[alike], func(v tlv.Value) bool { return isText(v) && slices.Contains(b.args[alike], v) })
}

// watched are the meetings that are enough to see which memory two calls use: each act with
// itself, on what is a copy of the other first, and then with others.
func watched(list []meeting) []meeting {
	var copies, own, cross []meeting
	for _, m := range list {
		switch {
		case m.acts[0] == m.acts[1] && m.copied:
			copies = append(copies, m)
		case m.acts[0] == m.acts[1] && (m.warm || m.separate || m.acts[0].kind != interleave.KindCall):
			own = append(own, m)
		case m.acts[0] != m.acts[1] && m.warm && (m.copied || !m.separate):
			cross = append(cross, m)
		}
	}
	return slices.Concat(copies, own, cross)
}

// run has the driver make the runs of a script, in a folder that is removed afterwards.
func (x *meetings) run(s *script) ([]interleave.Result, error) {
	dir, err := os.MkdirTemp("", "plugin-tester-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	defer func() { _ = files.RemoveAll(dir) }()
	s.program.Dir, s.program.Limit, s.program.Memory = dir, x.config.Timeout, 2*memoryLimit
	s.program.Mark = x.shared.mark
	ctx, cancel := context.WithTimeout(x.ctx, 2*x.config.Timeout+programTime)
	defer cancel()
	results, err := s.program.DoParts(ctx, x.driver, min(runtime.NumCPU(), mostDrivers))
	if x.ctx.Err() != nil {
		return nil, context.Cause(x.ctx)
	}
	var ended *interleave.EndedError
	if errors.As(err, &ended) {
		return nil, ended
	}
	if ctx.Err() != nil { // each run has a limit of its own: it stands still
		return nil, &interleave.EndedError{}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	x.counted(len(s.program.Runs))
	return results, nil
}

// trial is a meeting while it is tried.
type trial struct {
	*meeting
	s      *script
	plan   int      // of the script
	orders []string // the outcomes of the two orders
	single []string // the outcomes of only one of the calls; nil while they are not known
	fresh  bool     // each run needs a process of its own
	stops  []place
	begin  int // the number of its first run
	trace  int // that of its first trace; negative where that is known
}

// ordered is a run of a trial in one of the two orders.
func (t *trial) ordered(first int, fresh bool) interleave.Run {
	return interleave.Run{Plan: t.plan, How: interleave.Ordered, Order: []int{first, 1 - first}, Fresh: fresh}
}

const (
	// trials is how many meetings the driver is given at a time.
	trials = 8
	// leastStops is in how many places a call is stopped, however little time there is.
	leastStops = 6
)

// try stops the first act of some meetings in some places each, and reports what that
// shows. It returns how many of the list's first it has tried. There are as many places as is left
// time for, and leastStops at least.
func (x *meetings) try(list []meeting, r round, left time.Duration) (tried int, err error) {
	s := newScript(x.env)
	var all []*trial
	for i := range list {
		m := &list[i]
		tried = i + 1
		if x.bad[m.acts[0].m] || x.bad[m.acts[1].m] {
			continue
		}
		if plan, ok := x.plan(s, m); ok {
			all = append(all, &trial{meeting: m, s: s, plan: len(s.program.Plans)})
			s.program.Plans = append(s.program.Plans, plan)
		}
		if len(all) == trials {
			break
		}
	}
	if len(all) == 0 {
		return tried, nil
	}
	x.at(all[0].acts[0].m)
	if all, err = x.inOrder(all, r); err != nil {
		return tried, err
	}
	s.program.Runs = nil
	for _, t := range all {
		t.stops = few(t.stops, max(leastStops, int(left/x.pace[r.watch])/len(list)), r.watch && t.acts[0] == t.acts[1])
		for _, at := range t.stops {
			x.stopped[stopKey{*t.meeting, at}] = !r.watch || x.stopped[stopKey{*t.meeting, at}]
		}
		t.begin = len(s.program.Runs)
		for i, at := range t.stops {
			s.program.Runs = append(s.program.Runs, interleave.Run{Plan: t.plan, How: interleave.Stopped, PauseAt: at.pc, Skip: at.skip, Fresh: i == 0 || t.fresh || at.fresh, Watch: r.watch})
		}
	}
	begin := time.Now()
	results, err := x.run(s)
	if err != nil {
		return tried, err
	}
	runs := s.program.Runs
	if len(runs) > 0 {
		x.pace[r.watch] = max(time.Since(begin)/time.Duration(len(runs)), time.Millisecond)
	}
	for _, t := range all {
		if err := x.judge(t, runs[t.begin:][:len(t.stops)], results[t.begin:][:len(t.stops)]); err != nil {
			return tried, err
		}
	}
	return tried, nil
}

// traceKey is what the instructions of a call depend on, as far as that is worth a trace.
type traceKey struct {
	a        *act
	v        variant
	separate bool
	copied   bool
	apart    bool
	by       *act // of which the preparations are made too, or which had no part in filling the instances
}

// traces are the instructions of a call, as the first in a process and later.
type traces struct {
	first, later []interleave.Step
	locks        map[uint32]bool // heldLocks
}

// inOrder makes the calls of each trial one after the other, in both orders, and finds the
// places to stop at. It returns those whose answers depend on nothing but the order.
func (x *meetings) inOrder(all []*trial, round round) (stable []*trial, err error) {
	s := all[0].s
	s.program.Runs = nil
	for _, t := range all {
		t.begin = len(s.program.Runs)
		s.program.Runs = append(s.program.Runs, t.ordered(0, true), t.ordered(1, false), t.ordered(0, false), t.ordered(1, true), t.ordered(0, true))
		t.trace = -1
		if _, known := x.traces[t.key()]; !known {
			t.trace = len(s.program.Runs)
			trace := interleave.Run{Plan: t.plan, How: interleave.Stopped, PauseAt: interleave.NoPause}
			again := trace
			trace.Fresh = true
			s.program.Runs = append(s.program.Runs, trace, again)
			x.traces[t.key()] = traces{}
		}
	}
	results, err := x.run(s)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.trace >= 0 {
			have := traces{first: x.code.of(results[t.trace].Trace), later: x.code.of(results[t.trace+1].Trace)}
			have.locks = x.code.heldLocks(have.later)
			x.traces[t.key()] = have
			for _, s := range slices.Concat(have.first, have.later) {
				if s.Locked && !x.builtins {
					x.atomics, x.builtins = true, !x.code.inAtomicHeader(s.Address)
				}
			}
		}
	}
	for _, t := range all {
		r := results[t.begin:]
		if r[0].Status != interleave.StatusDone || r[3].Status != interleave.StatusDone || r[0].Outcome != r[4].Outcome {
			continue // crashes are found elsewhere; other answers depend on something else
		}
		t.orders = []string{r[0].Outcome, r[3].Outcome}
		t.fresh = x.box.singleton || r[2].Outcome != r[0].Outcome || r[1].Outcome != r[3].Outcome
		have := x.traces[t.key()]
		t.stops = places(have.first, have.later, round.stops)
		for i := range t.stops {
			t.stops[i].locks = have.locks[t.stops[i].pc]
		}
		t.stops = slices.DeleteFunc(t.stops, func(at place) bool {
			if round.watch {
				return !x.unwatched(t, at)
			}
			return x.stopped[stopKey{*t.meeting, at}]
		})
		stable = append(stable, t)
	}
	return stable, nil
}

func (t *trial) key() traceKey {
	k := traceKey{a: t.acts[0], v: t.variants[0], separate: t.separate, copied: t.copied, apart: t.apart}
	if t.warm || t.acts[0] != t.acts[1] {
		k.by = t.acts[1]
	}
	return k
}

// maxConfirms is how often what a trial shows is repeated in vain.
const maxConfirms = 3

// judge looks at what came of stopping in each place.
func (x *meetings) judge(t *trial, runs []interleave.Run, results []interleave.Result) error {
	confirms := 0
	if x.bad[t.acts[0].m] || x.bad[t.acts[1].m] {
		return nil
	}
	for i := range results {
		if runs[i].Watch && x.suspicious(runs[i].PauseAt, &results[i]) {
			if done, err := x.confirmMet(t, runs[i], results[i].Met); err != nil || done {
				return err
			}
		}
		if t.allows(&results[i]) {
			continue
		}
		if tried, err := x.onlyTried(t, &results[i]); err != nil {
			return err
		} else if tried {
			continue
		}
		f, err := x.confirm(t, runs[i])
		if err != nil {
			return err
		}
		if f != nil {
			x.bad[t.acts[0].m], x.bad[t.acts[1].m] = true, true
			x.add(*f)
			return nil
		}
		if confirms++; confirms == maxConfirms {
			return nil
		}
	}
	return nil
}

// allows tells whether a result is no fault: it is that of an order, or a call was refused
// because another was under way, or each has worked with a copy of what the other changes.
func (t *trial) allows(r *interleave.Result) bool {
	switch r.Status {
	case interleave.StatusDone:
		return slices.Contains(t.orders, r.Outcome) || t.refused(r) || t.ofSnapshots(r)
	case interleave.StatusSignal, interleave.StatusExit, interleave.StatusHang:
		return false
	}
	return true // nothing is known
}

// notBusy are codes with which no plugin says that it is busy.
var notBusy = []abi.Code{abi.ErrInvalidType, abi.ErrInvalidMethod, abi.ErrInvalidArgs, abi.ErrInvalidHandle, abi.ErrInvalidUTF8}

// refused tells whether a call has failed as a plugin that is busy says so, which it does in
// neither order.
func (t *trial) refused(r *interleave.Result) bool {
	for i, a := range r.Answers() {
		if !failed(a.Code) || slices.Contains(notBusy, a.Code) {
			continue
		}
		if !slices.ContainsFunc(t.orders, func(o string) bool {
			have := (&interleave.Result{Outcome: o}).Answers()
			return i < len(have) && have[i].Code == a.Code
		}) {
			return true
		}
	}
	return false
}

// confirm repeats what was found, each time in a new process, and the orders, and returns the
// finding; nil where it does not show again.
func (x *meetings) confirm(t *trial, stop interleave.Run) (*Finding, error) {
	const orders = 4
	s := t.s
	stop.Fresh, stop.Watch = true, false
	s.program.Runs = []interleave.Run{t.ordered(0, true), t.ordered(1, true), t.ordered(0, true), t.ordered(1, true), stop, stop, stop}
	results, err := x.run(s)
	if err != nil {
		return nil, err
	}
	for i := range orders {
		if results[i].Status != interleave.StatusDone || results[i].Outcome != t.orders[i%2] {
			return nil, nil
		}
	}
	var shown *interleave.Result
	again := 0
	for i := range results[orders:] {
		r := &results[orders+i]
		if tried, err := x.onlyTried(t, r); err != nil {
			return nil, err
		} else if !tried && !t.allows(r) {
			shown = r
			again++
		}
		if r.Status == interleave.StatusHang {
			again++ // it is the last one
		}
	}
	if again < 2 {
		return nil, nil
	}
	f := x.finding(t, shown, stop.PauseAt)
	return &f, nil
}

// stopKey is a place where the first call of a meeting is stopped.
type stopKey struct {
	meeting meeting
	at      place
}

// metKey is a place where a call is stopped, and what is called meanwhile.
type metKey struct {
	pc       uint32
	by       *act
	separate bool
	copied   bool
}

// unwatched tells whether a place is still to be watched, and that it is from now on.
func (x *meetings) unwatched(t *trial, at place) bool {
	key := metKey{at.pc, t.acts[1], t.separate, t.copied}
	if at.skip > 0 || x.met[key] {
		return false
	}
	x.met[key] = true
	return true
}

// suspicious tells whether two threads came to the same memory, and not with atomic
// operations. Ordinary loads and stores can be atomic ones, unless the library's file shows that these are not.
func (x *meetings) suspicious(stop uint32, r *interleave.Result) bool {
	return r.Met != 0 && (r.Altering || x.code.plainAt(x.builtins, stop, r.Met))
}

// confirmMet repeats a run in which two threads came to the same memory, and reports it.
func (x *meetings) confirmMet(t *trial, stop interleave.Run, met uint32) (done bool, err error) {
	stop.Fresh = true
	t.s.program.Runs = []interleave.Run{stop, stop}
	results, err := x.run(t.s)
	if err != nil || slices.ContainsFunc(results, func(r interleave.Result) bool {
		return !x.suspicious(stop.PauseAt, &r) && r.Status != interleave.StatusSignal // what comes of it
	}) {
		return false, err
	}
	x.bad[t.acts[0].m], x.bad[t.acts[1].m] = true, true
	x.add(x.metFinding(t, stop.PauseAt, met))
	return true, nil
}
