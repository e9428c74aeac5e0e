package tester

import (
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/loader/process"
)

// growth calls each method often, on instances that are ended, and looks whether
// memory and descriptors come back.
func (t *Tester) growth() error {
	return t.each(func(m *method, k known) error {
		err := t.scenario(rigOptions{plain: true, survey: true}, func(r *rig) error { return r.grow(m, k) })
		return t.ignoreBirth(err)
	})
}

const (
	growthRounds = 8
	// settled rounds are not counted: threads and caches come to be.
	settled     = 3
	growthCalls = 1000 // of a round
	// leastGrowth is what a call has to leave behind to be told, in bytes.
	leastGrowth = 48
)

func (r *rig) grow(m *method, k known) error {
	var memory, files, blocks []int
	for range growthRounds {
		if err := r.round(m, k); err != nil {
			return err
		}
		c, err := r.session.Surroundings(false)
		if err != nil && !errors.Is(err, process.ErrUnsupported) {
			return &lostError{&step{m: m}, err}
		}
		counts, _ := r.session.Memory()
		memory, files, blocks = append(memory, int(c.Now.Anonymous)), append(files, c.Now.Files), append(blocks, counts.Blocks)
	}
	args := r.encode(k.values, m.box, 0)
	found := func(code, format string, values ...any) {
		for _, p := range k.before {
			if r.t.seen[code+" "+p.m.box.name+"."+p.m.name+" "] {
				return // it is that one's
			}
		}
		r.t.add(Finding{Code: code, Box: m.box.name, Method: m.name, Input: hexText(args), Message: fmt.Sprintf(format, values...),
			Call: showCall(&step{m: m, typeID: m.box.typeID, method: m.id, instance: 1, args: args, room: roomSize})})
	}
	if n := growing(blocks, 1); n > 0 {
		found(codeGrowth, "%d calls leave %s of host->alloc behind, after fini too", growthCalls, plural(n, "block"))
	} else if n := growing(memory, growthCalls*leastGrowth); n > 0 {
		found(codeGrowth, "each call leaves about %d bytes behind, after fini too", n/growthCalls)
	}
	if n := growing(files, 1); n > 0 {
		found(codeFiles, "%d calls leave %s open, after fini too", growthCalls, plural(n, "descriptor"))
	}
	return nil
}

// round calls a method on instances that are ended.
func (r *rig) round(m *method, k known) error {
	const calls = 100
	for range growthCalls / calls {
		id, args, err := r.ready(m, k)
		if err != nil {
			return err
		}
		for range calls {
			if _, err := r.call(m, id, args); err != nil {
				return err
			}
		}
		if err := r.finiAll(); err != nil {
			return err
		}
	}
	return nil
}

// growing is by how much each round adds to what is counted, where each of them
// adds at least so much; otherwise 0.
func growing(counts []int, least int) int {
	for i := settled; i < len(counts); i++ {
		if counts[i]-counts[i-1] < least {
			return 0
		}
	}
	return (counts[len(counts)-1] - counts[settled-1]) / (len(counts) - settled)
}
