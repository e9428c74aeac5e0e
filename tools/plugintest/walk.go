package plugintest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A method that still fails with all that was tried may need several calls before it, of other methods in the right order, with the numbers
// and texts that those have answered. Random calls find such ones soon: those that fail change nothing, and all that
// succeed bring the instance further.

const (
	mostWalks = 80
	walkSteps = 200
	walkTime  = 3 * time.Second // of a box
	mostSetup = 10              // calls that prepare an instance, when those that are not needed have been left out
)

// walk makes random calls on instances of a box.
type walk struct {
	*worker
	box     *box
	random  *rand.Rand
	wanted  []*method // that have not succeeded
	usable  []*method // that have
	choices map[*method][][]tlv.Value
	times   map[*method]int // that calls have succeeded
	id      uint32
	setup   []setupCall // that have succeeded on this instance
	known   []tlv.Value // that they have answered
}

// learnWalks looks for calls that methods need before theirs which fail with all that was tried.
func (e *env) learnWalks(b *box) error {
	k := &walk{box: b, random: rand.New(rand.NewPCG(e.config.Seed, 3)), choices: make(map[*method][][]tlv.Value), times: make(map[*method]int)}
	for _, m := range b.methods {
		if e.shared.broken[m] || e.shared.slow[m] || m.declared == nil || !m.declared.ArgsDeclared {
			continue
		}
		choices := e.plugin.declaredChoices(m.declared.Args)
		if slices.ContainsFunc(choices, func(c []tlv.Value) bool { return len(c) == 0 || isBlob(c[0]) }) {
			continue
		}
		k.choices[m] = choices
		switch {
		case e.shared.hasWorkingSample(m):
			k.usable = append(k.usable, m)
		case e.shared.tried[m] && len(choices) > 0:
			k.wanted = append(k.wanted, m)
		}
	}
	if len(k.wanted) == 0 || len(k.usable) == 0 {
		return nil
	}
	return e.withWorker(workerOptions{plain: true, brief: true}, func(w *worker) error {
		k.worker = w
		until := time.Now().Add(walkTime)
		for range mostWalks {
			if len(k.wanted) == 0 || time.Now().After(until) || w.ctx.Err() != nil {
				break
			}
			if err := k.begin(nil); err != nil {
				return err
			}
			for range walkSteps {
				if err := k.step(); err != nil {
					return err
				}
			}
		}
		return w.finiAll()
	})
}

// begin ends the instances, and prepares one.
func (k *walk) begin(setup []setupCall) (err error) {
	k.setup, k.known = nil, nil
	k.id, err = k.another(k.box.birth, nil)
	if err != nil || setup == nil {
		return err
	}
	for _, c := range setup {
		if _, err := k.try(c.m, k.id, c.args); err != nil {
			return err
		}
	}
	return nil
}

// step makes a call.
func (k *walk) step() error {
	from := k.usable
	if len(k.wanted) > 0 && k.random.IntN(3) == 0 {
		from = k.wanted
	}
	m := from[k.random.IntN(len(from))]
	if other := from[k.random.IntN(len(from))]; k.times[other] < k.times[m] {
		m = other
	}
	if takesByName.MatchString(m.name) && k.random.IntN(8) > 0 {
		return nil
	}
	k.at(m)
	values := make([]tlv.Value, len(k.choices[m]))
	for i, c := range k.choices[m] {
		values[i] = k.value(m, i, c)
	}
	a, err := k.try(m, k.id, values)
	if err != nil || a == nil || a.code != abi.OK {
		return err
	}
	k.times[m]++
	if slices.Contains(k.wanted, m) {
		return k.found(m, values)
	}
	k.setup = append(k.setup, setupCall{m, values})
	if v, ok := a.value(); ok && (isNumberTag(v) || isText(v) && v.Len() > 0 && v.Len() < 64) && !slices.Contains(k.known, v) {
		k.known = append(k.known, v)
	}
	return nil
}

// value is one for an argument: one that was answered, one that has worked, a small number, or any.
func (k *walk) value(m *method, at int, choices []tlv.Value) tlv.Value {
	tag := choices[0].Tag()
	var all []tlv.Value
	small := numbersOf(tag, []int64{1, 1, 1, 1, 2, 2, 3, 30, 400}, []float64{1, 2, 30})
	switch n := k.random.IntN(10); {
	case n < 3:
		all = slices.DeleteFunc(slices.Clone(k.known), func(v tlv.Value) bool { return v.Tag() != tag })
	case n == 3, n < 9 && len(small) == 0:
		for _, s := range k.shared.samples[m] {
			if s.works && at < len(s.values) {
				all = append(all, s.values[at])
			}
		}
	case n == 4:
		all = choices
	}
	if len(all) == 0 {
		all = small
	}
	if len(all) == 0 {
		all = choices
	}
	return all[k.random.IntN(len(all))]
}

// found leaves out of the calls before one that has succeeded what it does not need, and keeps the rest for it.
func (k *walk) found(m *method, values []tlv.Value) error {
	k.wanted = slices.DeleteFunc(slices.Clone(k.wanted), func(other *method) bool { return other == m })
	k.usable = append(k.usable, m)
	setup := slices.Clone(k.setup)
	works := func(setup []setupCall) (bool, error) {
		if err := k.begin(setup); err != nil {
			return false, err
		}
		a, err := k.try(m, k.id, values)
		return a != nil && a.code == abi.OK, err
	}
	for i := len(setup) - 1; i >= 0; i-- {
		without := slices.Delete(slices.Clone(setup), i, i+1)
		ok, err := works(without)
		if err != nil {
			return err
		}
		if ok {
			setup = without
		}
	}
	if ok, err := works(setup); err != nil || !ok || len(setup) > mostSetup {
		return err
	}
	k.shared.addWorking(m, argSample{values, true, setup})
	return nil
}
