package plugintest

import (
	"errors"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// growth is the part of lifecycleCheck that repeats calls on instances that are
// ended, and reports memory and descriptors that are not released; births first.
func growth(e *env) error {
	o := workerOptions{plain: true, survey: true, brief: true}
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] {
			continue
		}
		e.at(b.birth)
		births := repeated{m: b.birth, times: e.scale().calls / 4, calls: 1, run: func(w *worker) error {
			id, err := w.birth(b)
			if err != nil {
				return err
			}
			return w.fini(b, id)
		}}
		if err := e.withWorker(o, births.watch); err != nil {
			return err
		}
	}
	return e.each(func(m *method, sample argSample) error {
		const calls = 100 // on an instance
		work := repeated{m: m, sample: sample, times: e.scale().calls / calls, calls: calls, run: func(w *worker) error {
			id, args, err := w.prepare(m, sample)
			if err != nil {
				return err
			}
			for range calls {
				if _, err := w.call(m, id, args); err != nil {
					return err
				}
			}
			return w.finiAll()
		}}
		if err := e.withWorker(o, work.watch); err != nil || e.recorder.has(codeGrowth, m) {
			return err
		}
		work.room, work.run = " whose result has no room", func(w *worker) error {
			id, args, err := w.prepare(m, sample)
			if err != nil {
				return err
			}
			for range calls {
				s := w.step(m, id, args)
				s.resultSize = 0
				a, err := w.do(s)
				if err != nil {
					return err
				}
				if a.code != abi.ErrShortBuffer {
					break // it has no result, or is not as the protocol has it, which others report
				}
			}
			return w.finiAll()
		}
		return e.withWorker(o, work.watch)
	})
}

const (
	growthRounds = 8
	// warmupRounds are not counted: threads are started and caches filled.
	warmupRounds = 3
	// longerRounds is how many times longer growth is watched again before it is
	// reported: a cache stops growing.
	longerRounds = 8
	// slowTime is how long work may take that is to be repeated.
	slowTime = 2 * time.Second
)

// scale is how much work a round does, and from what on memory that it leaves behind is reported.
type scale struct {
	calls     int // of a method, on instances that are ended
	instances int // that are left to shutdown
	// The least that one of them leaves behind, in bytes. What a method adds to an instance must be
	// more where pages are counted: the worker's own memory grows a little with the answers of calls.
	perCall, perInstance, perAddition int
}

var (
	// byPages is for memory that the system counts, with that of the worker.
	byPages = scale{calls: 1000, instances: 400, perCall: 48, perInstance: 16, perAddition: 64}
	// byBytes is for the C library's heap, of which the smallest block takes 32. A life of the
	// library, in which so many instances are lost, takes about 2 KiB of it.
	byBytes = scale{calls: 200, instances: 300, perCall: 16, perInstance: 24, perAddition: 24}
)

func (e *env) scale() *scale {
	if e.shared.heap.only {
		return &byBytes
	}
	return &byPages
}

// repeated is work that must leave nothing behind.
type repeated struct {
	m      *method
	sample argSample
	times  int // that a round runs it
	calls  int // of m, each time
	run    func(*worker) error
	room   string // what calls they are; empty for any
}

// usage is what is in use after each round.
type usage struct{ memory, files, blocks []int }

func (g *repeated) watch(w *worker) error {
	for longer := 1; ; {
		u, err := g.rounds(w, longer)
		if u == nil || err != nil {
			return err
		}
		calls := longer * g.times * g.calls
		if files := perRound(u.files, 1); files > 0 {
			g.report(w, codeFiles, "%d calls%s leave %s open, after fini too", calls, g.room, plural(files, "descriptor"))
			return nil // they take memory, too
		}
		blocks, memory := perRound(u.blocks, 1), perRound(u.memory, calls*w.scale().perCall)
		switch {
		case blocks == 0 && memory == 0, meansKept(g.m):
			return nil
		case longer == 1:
			// No longer than the memory limit allows.
			longer = max(2, min(longerRounds, memoryLimit/4/growthRounds/max(memory, 1)))
			continue
		case blocks > 0:
			g.report(w, codeGrowth, "%d calls%s leave %s of host->alloc behind, after fini too", calls, g.room, plural(blocks, "block"))
		case w.runtime.mayGrow(memory * growthRounds):
		default:
			g.report(w, codeGrowth, "each call%s leaves about %d bytes behind, after fini too", g.room, memory/calls)
		}
		return nil
	}
}

// rounds runs the work and measures; nil where that would take too long.
func (g *repeated) rounds(w *worker, longer int) (*usage, error) {
	u := &usage{}
	start := time.Now()
	for round := range growthRounds {
		for range longer * g.times {
			if err := g.run(w); err != nil {
				return nil, err
			}
			if round == 0 && time.Since(start) > slowTime*time.Duration(longer) {
				w.skip("%v: whether it leaves memory behind: its calls take too long", g.m)
				return nil, nil
			}
		}
		state, err := w.processState(g.m, false)
		if err != nil && !errors.Is(err, errNoState) {
			return nil, err
		}
		memory, _ := w.hostMemory()
		u.memory = append(u.memory, w.memoryIn(state.Now))
		u.files = append(u.files, state.Now.Files)
		u.blocks = append(u.blocks, memory.Blocks)
	}
	return u, nil
}

// report reports growth, unless birth or a setup call was reported for it.
func (g *repeated) report(w *worker, code, format string, args ...any) {
	for _, setup := range append([]setupCall{{m: g.m.box.birth}}, g.sample.setup...) {
		if setup.m != g.m && w.has(code, setup.m) {
			return
		}
	}
	f := g.m.finding(code, format, args...)
	if g.m.id != abi.MethodBirth {
		s := g.m.step(1, w.plugin.example(g.sample, g.m.box))
		f = s.finding(code, format, args...)
	}
	if code == codeGrowth {
		f.Fix = fixToRemember()
	}
	if code == codeGrowth && g.room != "" {
		f.Fix = "look first whether the result has room, and then make what it consists of; or free it where it has none"
	}
	w.add(f)
}

// perRound is by how much each round grows, where each of them grows by at least
// so much; otherwise 0.
func perRound(counts []int, least int) int {
	for i := warmupRounds; i < len(counts); i++ {
		if counts[i]-counts[i-1] < least {
			return 0
		}
	}
	return (counts[len(counts)-1] - counts[warmupRounds-1]) / (len(counts) - warmupRounds)
}

// memoryIn is how much memory the plugin has taken, in bytes: of the C library's heap, where it takes all from there.
func (w *worker) memoryIn(now probe.Surroundings) int {
	if w.shared.heap.only && now.Heap > 0 {
		return int(now.Heap)
	}
	return int(now.Anonymous)
}
