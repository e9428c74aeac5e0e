package plugintest

import (
	"debug/elf"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// What reads a clock, or has a thread that goes on by itself, answers otherwise where calls follow one another
// faster or more slowly, and the surroundings in which calls are compared differ in that.

const (
	pause       = 3 * time.Millisecond // before each call of a slow play
	fastPlays   = 3
	pacedCalls  = 4  // of each method, one after the other
	pacedMost   = 16 // methods
	pacedRandom = 2  // random sequences
)

// pace is which methods of which boxes follow time, by their names.
type pace struct {
	mu    sync.Mutex
	known map[*box]map[string]bool
}

// ofTime are functions of libraries whose answers may depend on time.
var ofTime = []string{
	"clock_gettime", "gettimeofday", "time", "clock", "ftime", "timespec_get", "times", "getrusage", "nanosleep", "clock_nanosleep", "usleep", "sleep",
	"thrd_sleep", "pthread_create", "thrd_create", "pthread_cond_timedwait", "cnd_timedwait", "timer_create", "timerfd_create", "setitimer", "alarm",
	"_ZNSt6chrono3_V212steady_clock3nowEv", "_ZNSt6chrono3_V212system_clock3nowEv", "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE",
}

// mayFollowTime tells whether a library's file has it call one of them; true where that is not known.
func mayFollowTime(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }() // which was only read
	return imports(f, ofTime)
}

// comparesAnswers are the codes of findings that say no more than that answers differ, where time may be why.
var comparesAnswers = []string{codeBatch, codeRace, codeMixed, codeStale, codeHalf, codeCopy, codeOrder, codeOtherThread, codeSecondLife, codeOtherMemory, codeKeptAnswer, codeShortEffect}

// add adds a finding, unless it compares answers of a method that follow time.
func (e *env) add(f Finding) {
	if slices.Contains(comparesAnswers, f.Code) && e.comparesTime(&f) {
		return
	}
	e.recorder.add(f)
}

// comparesTime tells whether a finding compares what follows time: what its own method answers, or the one that shows the fault.
func (e *env) comparesTime(f *Finding) bool {
	if e.followsTime(f.Box, f.Method) {
		return true
	}
	return slices.ContainsFunc(f.Steps, func(s Step) bool {
		name, _, _ := strings.Cut(s.Call, "(")
		return s.Fault && e.followsTime(f.Box, name)
	})
}

// followsTime tells whether a method answers otherwise in a slow play than in all fast ones. It is found out for all methods of a
// box when it is first asked.
func (e *env) followsTime(boxName, method string) bool {
	p, b := e.shared.pace, e.plugin.box(boxName)
	if p == nil || b == nil || !e.shared.learned {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[b] == nil {
		p.known[b] = make(map[string]bool)
		if e.plugin.module || mayFollowTime(e.config.File) {
			e.measurePace(b, p.known[b])
		}
	}
	return p.known[b][method]
}

// measurePace notes the methods of a box that follow time.
func (e *env) measurePace(b *box, follow map[string]bool) {
	own, shared := *e, *e.shared
	shared.pace = nil // what these plays find is not asked about
	own.shared, own.random = &shared, rand.New(rand.NewPCG(e.config.Seed, 2))
	ops := own.pacedOps(b)
	slow := own.play(ops, world{name: "slow", plain: true, keeps: true, pause: pause})
	var fast []*played
	for range fastPlays {
		fast = append(fast, own.play(ops, world{plain: true, keeps: true}))
	}
	for i := range slow.answers {
		if slices.ContainsFunc(fast, func(f *played) bool { return i >= len(f.answers) || f.answers[i].same(&slow.answers[i]) }) {
			continue
		}
		follow[ops[i].m.name] = true
	}
}

// pacedOps are calls of each method, several times and then once each of the others, and random ones.
func (e *env) pacedOps(b *box) sequence {
	x := newExploration(e)
	var all []sequence
	methods := x.gen.callable(b)
	if len(methods) == 0 { // no arguments are known: a script is replayed
		return nil
	}
	for _, m := range methods[:min(len(methods), pacedMost)] {
		s := append(sequence{x.firstBirth(b)}, x.setupOf(m)...)
		call := func(m *method) op { return op{m: m, on: 0, args: ownInstances(x.gen.shapes[m][0])} }
		s = append(s, slices.Repeat(sequence{call(m)}, pacedCalls)...)
		for _, r := range methods {
			s = append(s, call(r))
		}
		all = append(all, s)
	}
	for range pacedRandom {
		all = append(all, x.gen.new(nil, b, false))
	}
	ops, _ := joined(all)
	return ops
}
