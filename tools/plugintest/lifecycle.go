package plugintest

import (
	"errors"

	"github.com/nyash-plugins/nyash-go/abi"
)

// lifecycleCheck checks births and ends of instances and of the library.
var lifecycleCheck = check{name: "lifecycle", summary: "births, ends, many instances, memory growth, loading again and again", run: lifecycle}

func lifecycle(e *env) error {
	for _, b := range e.plugin.boxes {
		for _, f := range []func(*worker, *box) error{birthAndFini, manyInstances, finiTwice, finiUnknown} {
			if err := e.withWorker(workerOptions{}, func(w *worker) error { return f(w, b) }); err != nil {
				return err
			}
		}
	}
	if err := useAfterFini(e); err != nil {
		return err
	}
	threads, err := checkProcess(e)
	if err != nil {
		return err
	}
	if err := growth(e); err != nil {
		return err
	}
	if err := paths(e); err != nil {
		return err
	}
	switch {
	case threads:
		e.skip("unloading: a thread of the plugin is still running, and its code would be unmapped")
	case e.has(codeLateCall, libraryFunc("shutdown")):
		e.skip("unloading: a thread of the plugin calls its host after shutdown, and its code would be unmapped")
	case e.exited("shutdown"):
		e.skip("unloading: shutdown does not return")
	case e.runtime != nil:
		e.skip("unloading, and what shutdown forgets: a Go runtime does not go away, and frees memory when it likes")
	default:
		if err := shutdownGrowth(e); err != nil {
			return err
		}
		return reloads(e)
	}
	return nil
}

func birthAndFini(w *worker, b *box) error {
	for range 3 {
		id, err := w.birth(b)
		if err != nil {
			return err
		}
		if err := w.fini(b, id); err != nil {
			return err
		}
	}
	return nil
}

// manyInstances makes many, and ends them in another order while more are made.
func manyInstances(w *worker, b *box) error {
	if b.singleton {
		return nil
	}
	var ids []uint32
	for range 100 {
		id, err := w.birth(b)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	w.random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for i, id := range ids {
		if err := w.fini(b, id); err != nil {
			return err
		}
		if i%3 == 0 {
			if _, err := w.birth(b); err != nil {
				return err
			}
		}
	}
	return w.finiAll()
}

// finiTwice ends an instance again, to which any answer is allowed.
func finiTwice(w *worker, b *box) error {
	id, err := w.birth(b)
	if err != nil {
		return err
	}
	if err := w.fini(b, id); err != nil {
		return err
	}
	if _, err = w.do(b.fini.step(id, emptyMessage)); err != nil {
		return err
	}
	_, err = w.birth(b)
	return err
}

// unknownIDs are ids of instances that never were.
var unknownIDs = []uint32{0x7fff_fff1, 0xffff_fffe, 0}

func finiUnknown(w *worker, b *box) error {
	for _, id := range unknownIDs {
		if _, err := w.do(b.fini.step(id, emptyMessage)); err != nil {
			return err
		}
	}
	_, err := w.birth(b)
	return err
}

// useAfterFini calls methods on ended instances. That a method succeeds is a fault
// only if it fails on instances that never were: otherwise it uses none.
func useAfterFini(e *env) error {
	return e.each(func(m *method, sample argSample) error {
		return e.withWorker(workerOptions{brief: true}, func(w *worker) error {
			args, err := w.encode(sample.values, m.box, unknownIDs[0])
			if err != nil {
				return err
			}
			never, err := w.do(m.step(unknownIDs[0], args))
			if err != nil {
				return err
			}
			id, args, err := w.prepare(m, sample)
			if err != nil {
				return err
			}
			live, err := w.call(m, id, args)
			if err != nil {
				return err
			}
			if err := w.fini(m.box, id); err != nil {
				return err
			}
			s := m.step(id, args)
			ended, err := w.do(s)
			if err != nil {
				return err
			}
			if never.code != abi.OK && live.code == abi.OK && ended.code == abi.OK {
				e.add(s.finding(codeUseAfterFini, "after fini it answered %v; for an instance that never was, %v", ended, never))
			}
			return w.finiAll()
		})
	})
}

// checkProcess calls everything once, leaves instances to shutdown, and reports
// what the plugin changed in its process. threads reports whether threads of the
// plugin are left.
func checkProcess(e *env) (threads bool, err error) {
	err = e.withWorker(workerOptions{survey: true}, func(w *worker) error {
		if err := callEverything(w); err != nil {
			return err
		}
		if w.plugin.module {
			if err := w.checkTextNow("after all methods were called"); err != nil {
				return err
			}
			return w.shutdown()
		}
		if _, err := w.processState(libraryFunc("process state"), false); errors.Is(err, errNoState) {
			e.skip("working directory, umask, signals and threads: %v", err)
			return nil
		} else if err != nil {
			return err
		}
		if err := w.checkTextNow("after all methods were called"); err != nil {
			return err
		}
		if err := w.shutdown(); err != nil {
			return err
		}
		shutdown := libraryFunc("shutdown")
		state, err := w.processState(shutdown, true)
		if err != nil {
			return err
		}
		var names []string
		for _, th := range state.Now.Threads {
			if th.Foreign {
				names = append(names, th.Name)
			}
		}
		if len(names) > 0 {
			threads = true
			e.add(shutdown.finding(codeThread, "%s of the plugin still running after shutdown (%s)", plural(len(names), "thread"), list(names, "")))
		}
		return nil
	})
	return threads, err
}

// callEverything makes an instance of each box and calls each callable method,
// twice: what one leaves behind may break another. The instances stay.
func callEverything(w *worker) error {
	if err := w.learn(); err != nil {
		return err
	}
	for _, b := range w.plugin.boxes {
		if _, err := w.birth(b); err != nil {
			if ignoreBirth(err) == nil {
				continue
			}
			return err
		}
		for range 2 {
			if err := callMethods(w, b); err != nil {
				return ignoreBirth(err)
			}
		}
	}
	return nil
}

// callMethods calls each method of a box with each of its samples.
func callMethods(w *worker, b *box) error {
	for _, m := range b.methods {
		for _, sample := range w.shared.samples[m] {
			if w.shared.broken[m] {
				break
			}
			id, args, err := w.prepare(m, sample)
			if err != nil {
				return err
			}
			if _, err := w.call(m, id, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// reloads unloads the library and loads it again, many times.
func reloads(e *env) error {
	return e.withWorker(workerOptions{unload: true}, func(w *worker) error {
		for range 100 {
			for _, b := range e.plugin.boxes {
				id, err := w.birth(b)
				if err != nil {
					return err
				}
				if err := w.fini(b, id); err != nil {
					return err
				}
			}
			if err := w.finiAll(); err != nil { // those that births were given
				return err
			}
			if err := w.reload(); err != nil {
				return err
			}
		}
		return nil
	})
}
