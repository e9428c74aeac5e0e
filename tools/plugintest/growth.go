package plugintest

import (
	"errors"
	"fmt"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// growth calls each method often, on instances that are ended, and looks whether
// memory and descriptors come back; births first.
func (t *Tester) growth() error {
	o := rigOptions{plain: true, survey: true}
	for _, b := range t.boxes {
		if b.barren {
			continue
		}
		t.at(b.birth)
		birth := growing{m: b.birth, calls: growthCalls / 4, work: func(r *rig) error {
			id, err := r.born(b)
			if err != nil {
				return err
			}
			return r.fini(b, id)
		}}
		if err := t.ignoreBirth(t.scenario(o, birth.watch)); err != nil {
			return err
		}
	}
	return t.each(func(m *method, k known) error {
		const each = 100 // calls on an instance
		calls := growing{m: m, k: k, calls: growthCalls / each, each: each, work: func(r *rig) error {
			id, args, err := r.ready(m, k)
			if err != nil {
				return err
			}
			for range each {
				if _, err := r.call(m, id, args); err != nil {
					return err
				}
			}
			return r.finiAll()
		}}
		return t.ignoreBirth(t.scenario(o, calls.watch))
	})
}

const (
	growthRounds = 8
	// settled rounds are not counted: threads and caches come to be.
	settled     = 3
	growthCalls = 1000 // of a round
	// confirmed is how many times as long what grows is watched again: a cache comes
	// to its end.
	confirmed = 8
	// leastGrowth is what a call has to leave behind to be told, in bytes.
	leastGrowth = 48
	// growthTime is how long the first round may take for there to be others.
	growthTime = 2 * time.Second
)

// growing is work that must leave nothing behind.
type growing struct {
	m     *method
	k     known
	calls int // of work, in a round
	each  int // calls of the method in one of work; 0 for one
	work  func(*rig) error
}

// counts are what there is after each round.
type counts struct{ memory, files, blocks []int }

func (g *growing) watch(r *rig) error {
	for times := 1; ; {
		c, err := g.rounds(r, times)
		if c == nil || err != nil {
			return err
		}
		calls := times * g.calls * max(1, g.each)
		if files := adds(c.files, 1); files > 0 {
			g.found(r, codeFiles, "%d calls leave %s open, after fini too", calls, plural(files, "descriptor"))
			return nil // and memory for them
		}
		blocks, memory := adds(c.blocks, 1), adds(c.memory, calls*leastGrowth)
		switch {
		case blocks == 0 && memory == 0:
			return nil
		case times == 1:
			// Again, as often as can be before all memory is gone.
			times = max(2, min(confirmed, memoryLimit/4/growthRounds/max(memory, 1)))
			continue
		case blocks > 0:
			g.found(r, codeGrowth, "%d calls leave %s of host->alloc behind, after fini too", calls, plural(blocks, "block"))
		default:
			g.found(r, codeGrowth, "each call leaves about %d bytes behind, after fini too", memory/calls)
		}
		return nil
	}
}

// rounds does the work and counts; nil where that would take too long.
func (g *growing) rounds(r *rig, times int) (*counts, error) {
	c := &counts{}
	start := time.Now()
	for round := range growthRounds {
		for range times * g.calls {
			if err := g.work(r); err != nil {
				return nil, err
			}
			if round == 0 && time.Since(start) > growthTime*time.Duration(times) {
				r.t.skip("%s.%s: whether it leaves memory behind: its calls take too long", g.m.box.name, g.m.name)
				return nil, nil
			}
		}
		changes, err := probe.Survey(r.session, false)
		if err != nil && !errors.Is(err, transport.ErrUnsupported) {
			return nil, &lostError{&step{m: g.m}, err}
		}
		tracked, _ := r.session.Memory()
		c.memory = append(c.memory, int(changes.Now.Anonymous))
		c.files = append(c.files, changes.Now.Files)
		c.blocks = append(c.blocks, tracked.Blocks)
	}
	return c, nil
}

func (g *growing) found(r *rig, code, format string, values ...any) {
	box := g.m.box
	for _, p := range append([]prior{{m: box.birth}}, g.k.before...) {
		if p.m != g.m && r.t.seen[code+" "+box.name+"."+p.m.name+" "] {
			return // it is that one's
		}
	}
	f := Finding{Code: code, Box: box.name, Method: g.m.name, Message: fmt.Sprintf(format, values...)}
	if g.m.id != abi.MethodBirth {
		args := r.encode(g.k.values, box, 1)
		f.Input, f.Call = hexText(args), showCall(&step{m: g.m, typeID: box.typeID, method: g.m.id, instance: 1, args: args, room: roomSize})
	}
	r.t.add(f)
}

// adds is by how much each round adds to what is counted, where each of them adds
// at least so much; otherwise 0.
func adds(counts []int, least int) int {
	for i := settled; i < len(counts); i++ {
		if counts[i]-counts[i-1] < least {
			return 0
		}
	}
	return (counts[len(counts)-1] - counts[settled-1]) / (len(counts) - settled)
}
