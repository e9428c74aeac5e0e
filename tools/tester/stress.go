package tester

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	stressThreads = 8
	stressCalls   = 150 // of each thread
	// stressRounds are so many because threads meet by chance.
	stressRounds = 4
)

// stress calls from several threads at once.
func (t *Tester) stress() error {
	for _, b := range t.boxes {
		if b.barren {
			continue
		}
		if err := t.scenario(rigOptions{plain: true}, func(r *rig) error { return r.birthsAtOnce(b) }); err != nil {
			return err
		}
	}
	var times []time.Duration
	var took time.Duration
	err := t.each(func(m *method, k known) error {
		if !k.works {
			return nil
		}
		spent, span, err := t.identicalCalls(m, k)
		times, took = append(times, spent...), took+span
		if err != nil {
			return err
		}
		return t.separateInstances(m, k)
	})
	if len(times) > 0 {
		slices.Sort(times)
		at := func(q float64) time.Duration { return times[min(len(times)-1, int(q*float64(len(times))))] }
		t.line("%d threads: %.0f calls/s, p50 %v, p99 %v, p99.9 %v",
			stressThreads, float64(len(times))/took.Seconds(), at(0.5), at(0.99), at(0.999))
	}
	return err
}

// together runs f on several threads at once, and returns the first loss.
func together(f func(thread int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	start := make(chan struct{})
	for thread := range stressThreads {
		wg.Go(func() {
			<-start
			if err := f(thread); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		})
	}
	close(start)
	wg.Wait()
	return first
}

// birthsAtOnce makes instances on several threads and compares their ids.
func (r *rig) birthsAtOnce(b *box) error {
	const births = 60
	var mu sync.Mutex
	ids := make(map[uint32]int)
	s := step{m: b.birth, typeID: b.typeID, method: abi.MethodBirth, args: emptyMessage, room: r.room(), racing: true}
	err := together(func(int) error {
		for range births {
			a, err := r.raw(&s)
			if err != nil {
				return &lostError{&s, err}
			}
			if a.code == abi.OK && a.length == 4 {
				mu.Lock()
				ids[binary.LittleEndian.Uint32(a.room)]++
				mu.Unlock()
			}
		}
		return nil
	})
	r.t.check.Calls += stressThreads * births
	if err != nil {
		return err
	}
	for id, n := range ids {
		if n > 1 {
			r.t.add(Finding{Code: codeIDCollision, Box: b.name, Method: abi.NameBirth, Message: fmt.Sprintf("%d births on %d threads gave the id %d %d times", stressThreads*births, stressThreads, id, n)})
			return nil
		}
	}
	list := make([]uint32, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	return together(func(thread int) error {
		for i := thread; i < len(list); i += stressThreads {
			s := step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: list[i], args: emptyMessage, room: r.room(), racing: true}
			if _, err := r.raw(&s); err != nil {
				return &lostError{&s, err}
			}
		}
		return nil
	})
}

// identicalCalls makes one call many times on one instance, one after another and
// then at once. In whatever order they happen, the answers are the same ones,
// unless they get in each other's way.
func (t *Tester) identicalCalls(m *method, k known) (times []time.Duration, took time.Duration, err error) {
	reference, err := t.oneAfterAnother(m, k)
	if reference == nil || err != nil {
		return nil, 0, err
	}
	again, err := t.oneAfterAnother(m, k)
	if err != nil || !slices.Equal(reference, again) {
		return nil, 0, err // its answers depend on something else
	}
	for range stressRounds {
		answers, spent, span, err := t.atOnce(m, k)
		times, took = append(times, spent...), took+span
		if err != nil || len(answers) != len(reference) {
			return times, took, err
		}
		if !slices.Equal(answers, reference) {
			answer, have, want := mostOften(answers, reference)
			t.add(Finding{Code: codeRace, Box: m.box.name, Method: m.name,
				Call:     showCall(&step{m: m, typeID: m.box.typeID, instance: 1, args: (&rig{t: t}).encode(k.plain(), m.box, 1), room: roomSize}),
				Message:  fmt.Sprintf("of %d calls on one instance from %d threads %d answered %s, of as many one after another %d", len(answers), stressThreads, have, answer, want),
				Expected: "the same answers, in any order"})
			return times, took, nil
		}
	}
	return times, took, nil
}

// atOnce calls a method on one instance from several threads, and returns the
// sorted answers.
func (t *Tester) atOnce(m *method, k known) (answers []string, times []time.Duration, took time.Duration, err error) {
	err = t.scenario(rigOptions{plain: true}, func(r *rig) error {
		id, args, err := r.ready(m, k)
		if err != nil {
			return err
		}
		var all [stressThreads][]*answer
		var each [stressThreads][]time.Duration
		start := time.Now()
		err = together(func(thread int) error {
			s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: r.room(), racing: true}
			for range stressCalls {
				begun := time.Now()
				a, err := r.raw(&s)
				if err != nil {
					return &lostError{&s, err}
				}
				all[thread], each[thread] = append(all[thread], a), append(each[thread], time.Since(begun))
			}
			return nil
		})
		took = time.Since(start)
		times = slices.Concat(each[:]...)
		t.check.Calls += len(times)
		if err != nil {
			return err
		}
		for _, a := range slices.Concat(all[:]...) {
			answers = append(answers, a.comparable())
			r.takeOver(m, a)
		}
		return r.finiAll()
	})
	slices.Sort(answers)
	return answers, times, took, t.ignoreBirth(err)
}

// mostOften is an answer that came more often than it should have.
func mostOften(answers, reference []string) (answer string, have, want int) {
	counts := make(map[string]int)
	for _, a := range answers {
		counts[a]++
	}
	wanted := make(map[string]int)
	for _, a := range reference {
		wanted[a]++
	}
	for _, a := range answers {
		if counts[a]-wanted[a] > have-want {
			answer, have, want = a, counts[a], wanted[a]
		}
	}
	return answer, have, want
}

func firstOther(have, want []string) (string, string) {
	for i := range have {
		if have[i] != want[i] {
			return have[i], want[i]
		}
	}
	return "", ""
}

// oneAfterAnother are the sorted answers of as many calls as identicalCalls makes.
func (t *Tester) oneAfterAnother(m *method, k known) (answers []string, err error) {
	err = t.scenario(rigOptions{plain: true}, func(r *rig) error {
		id, args, err := r.ready(m, k)
		if err != nil {
			return err
		}
		for range stressThreads * stressCalls {
			a, err := r.call(m, id, args)
			if err != nil {
				return err
			}
			answers = append(answers, a.comparable())
		}
		return r.finiAll()
	})
	if len(answers) < stressThreads*stressCalls {
		return nil, t.ignoreBirth(err)
	}
	slices.Sort(answers)
	return answers, t.ignoreBirth(err)
}

// separateInstances calls a method on an instance for each thread. What they
// answer one after another, and in turns, they must answer at once.
func (t *Tester) separateInstances(m *method, k known) error {
	order := func(turns bool) ([][]string, error) { return t.onInstances(m, k, turns, false) }
	reference, err := order(false)
	if reference == nil || err != nil {
		return err
	}
	inTurns, err := order(true)
	if err != nil || !equalAll(reference, inTurns) {
		return err // instances share something that is meant to be shared
	}
	atOnce, err := t.onInstances(m, k, false, true)
	if atOnce == nil || err != nil {
		return err
	}
	for thread := range atOnce {
		if !slices.Equal(atOnce[thread], reference[thread]) {
			have, want := firstOther(atOnce[thread], reference[thread])
			t.add(Finding{Code: codeRace, Box: m.box.name, Method: m.name,
				Message:  fmt.Sprintf("called on %d instances from a thread each, it answered %s where one after another it answers %s", stressThreads, have, want),
				Expected: "what each instance answers alone"})
			return nil
		}
	}
	return nil
}

func equalAll(a, b [][]string) bool {
	return slices.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

// onInstances are the answers of each instance; nil where there was none.
func (t *Tester) onInstances(m *method, k known, turns, atOnce bool) (answers [][]string, err error) {
	err = t.scenario(rigOptions{plain: true}, func(r *rig) error {
		answers = nil
		all := make([][]string, stressThreads)
		steps := make([]step, stressThreads)
		for i := range steps {
			id, args, err := r.ready(m, k)
			if err != nil {
				return err
			}
			steps[i] = step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: r.room(), racing: atOnce}
		}
		var mu sync.Mutex
		var calls atomic.Int64
		one := func(i int) error {
			a, err := r.raw(&steps[i])
			if err != nil {
				return &lostError{&steps[i], err}
			}
			calls.Add(1)
			all[i] = append(all[i], a.comparable())
			mu.Lock()
			defer mu.Unlock()
			r.takeOver(m, a)
			return nil
		}
		var err error
		switch {
		case atOnce:
			err = together(func(i int) error { return repeat(stressCalls, func() error { return one(i) }) })
		case turns:
			err = repeat(stressCalls, func() error { return eachInstance(one) })
		default:
			err = eachInstance(func(i int) error { return repeat(stressCalls, func() error { return one(i) }) })
		}
		t.check.Calls += int(calls.Load())
		if err != nil {
			return err
		}
		answers = all
		return r.finiAll()
	})
	return answers, t.ignoreBirth(err)
}

func repeat(n int, f func() error) error {
	for range n {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func eachInstance(f func(int) error) error {
	for i := range stressThreads {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}
