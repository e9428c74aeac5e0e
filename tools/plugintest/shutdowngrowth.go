package plugintest

import "math"

// shutdownGrowth is the part of lifecycleCheck that leaves instances to shutdown, many times, and
// reports memory that is not released: that of instances as they are born first, and then of
// what each method adds to them.
func shutdownGrowth(e *env) error {
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] {
			continue
		}
		e.at(b.birth)
		births := &lives{m: b.birth, one: func(w *worker) error {
			_, err := w.birth(b)
			return err
		}}
		if err := births.check(e); err != nil {
			return err
		}
	}
	if e.hasCode(codeShutdownLeak) {
		return nil
	}
	return e.each(func(m *method, sample argSample) error {
		if e.shared.slow[m] || !sample.works {
			return nil
		}
		called := &lives{m: m, sample: sample, one: func(w *worker) error {
			id, args, err := w.prepare(m, sample)
			if err != nil {
				return err
			}
			_, err = w.call(m, id, args)
			return err
		}}
		return called.check(e)
	})
}

// lives is work on instances that are left to shutdown, or with ends are ended before, repeated in
// life after life of the library.
type lives struct {
	m      *method // birth, or what is called on the instance
	sample argSample
	one    func(*worker) error // makes an instance
	ends   bool
}

// rounds are those of repeated.
func (l *lives) rounds(w *worker, longer int) (*usage, error) {
	n := w.scale().instances
	r := &repeated{m: l.m, sample: l.sample, times: 1, calls: n}
	if l.m.box.singleton {
		r.times, r.calls = n, 1 // one instance in each life
	}
	r.run = func(w *worker) error {
		for range r.calls {
			if err := l.one(w); err != nil {
				return err
			}
		}
		if l.ends {
			if err := w.finiAll(); err != nil {
				return err
			}
		}
		w.instances = nil
		clear(w.lent)
		return w.reload()
	}
	return r.rounds(w, longer)
}

// lost is about how many bytes an instance leaves behind; of those that are alive at shutdown 0
// where it is not so in every round.
func (l *lives) lost(e *env) (bytes int, err error) {
	err = e.withWorker(workerOptions{plain: true, survey: true, brief: true}, func(w *worker) error {
		for _, longer := range []int{1, longerRounds} {
			u, err := l.rounds(w, longer)
			if u == nil || err != nil {
				return err
			}
			instances := longer * w.scale().instances
			least := instances * w.scale().perInstance
			if l.m != l.m.box.birth {
				least = instances * w.scale().perAddition
			}
			if l.ends {
				least = math.MinInt
			}
			if longer == 1 { // of which single rounds say little: memory is counted in pages
				if last := len(u.memory) - 1; !l.ends && u.memory[last]-u.memory[warmupRounds-1] < least*(last-warmupRounds+1) {
					bytes = 0
					return nil
				}
				continue
			}
			if bytes = perRound(u.memory, least) / instances; bytes == 0 && !l.ends {
				return nil
			}
		}
		return nil
	})
	return bytes, err
}

// check reports what instances leave behind that shutdown has to release. What they also leave
// when they are ended before is another's fault.
func (l *lives) check(e *env) error {
	alive, err := l.lost(e)
	if alive == 0 || err != nil {
		return err
	}
	if again, err := l.lost(e); again == 0 || err != nil { // in another worker
		return err
	}
	l.ends = true
	ended, err := l.lost(e)
	if ended > alive/2 || err != nil {
		return err
	}
	what := "an instance of " + l.m.box.name
	if l.m != l.m.box.birth {
		what += " on which " + l.m.name + " was called"
	}
	f := libraryFunc("shutdown").finding(codeShutdownLeak, "%s leaves about %d bytes behind when it is alive at shutdown", what, alive)
	f.Box = l.m.box.name
	e.add(f)
	return nil
}
