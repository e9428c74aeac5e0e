package plugintest

import (
	"errors"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	faultWarmups = 1
	faultRounds  = 3   // that are measured
	faultPlays   = 100 // of a round
)

// leaks looks for memory and descriptors that calls leave behind in which something fails: on instances
// that are ended, again and again.
func (f *faulting) leaks(c faultCase, all []fault) {
	for len(all) > 0 && f.ctx.Err() == nil && time.Now().Before(f.until) {
		bytes, files := f.leftBy(c, all)
		if bytes == 0 && files == 0 {
			return
		}
		some := all
		for len(some) > 1 { // one of them
			if half := some[len(some)/2:]; f.leaves(c, half) {
				some = half
				continue
			}
			some = some[:len(some)/2]
		}
		if bytes, files = f.leftBy(c, some); bytes == 0 && files == 0 || f.leaves(c, nil) || !f.leaves(c, some) {
			return
		}
		f.reportLeak(c, &some[0], bytes, files)
		return
	}
}

func (f *faulting) leaves(c faultCase, some []fault) bool {
	bytes, files := f.leftBy(c, some)
	return bytes > 0 || files > 0
}

func (f *faulting) reportLeak(c faultCase, t *fault, bytes, files int) {
	m := c.m
	s := m.step(1, f.plugin.example(c.sample, m.box))
	if files > 0 {
		f.add(s.finding(codeFaultLeak, "it leaves a descriptor open where %v", t))
		return
	}
	f.add(s.finding(codeFaultLeak, "it leaves about %d bytes behind where %v", bytes, t))
}

// leftBy is about how many bytes and descriptors a play leaves behind in which these faults are brought
// about one after another; 0 where it is not so in every round. Without faults the call is made as it is.
func (f *faulting) leftBy(c faultCase, all []fault) (bytes, files int) {
	own, _ := f.alone()
	w, err := own.start(workerOptions{plain: true, brief: true, quiet: true, survey: true})
	if w == nil || err != nil {
		return 0, 0
	}
	defer f.end(w)
	if len(all) == 0 {
		all = []fault{theFault}
	}
	var heap, open []int
	for range faultWarmups + faultRounds {
		for range faultPlays {
			for i := range all {
				if err := f.failOnce(w, c, &all[i]); err != nil {
					return 0, 0
				}
			}
		}
		state, err := w.processState(c.m, false)
		if err != nil {
			return 0, 0
		}
		heap, open = append(heap, int(state.Now.Heap)), append(open, state.Now.Files)
		if len(heap) <= faultWarmups {
			continue
		}
		if bytes = (leastGrowth(heap) - leakNoise) / faultPlays; bytes < leakLeast || !f.shared.heap.only {
			bytes = 0
		}
		if files = max(0, leastGrowth(open)/faultPlays); bytes == 0 && files == 0 {
			return 0, 0
		}
	}
	return bytes, files
}

// leastGrowth is by how much each of the measured rounds has grown, at least.
func leastGrowth(counts []int) int {
	least := counts[faultWarmups] - counts[faultWarmups-1]
	for i := faultWarmups + 1; i < len(counts); i++ {
		least = min(least, counts[i]-counts[i-1])
	}
	return least
}

// failOnce makes the call with a fault on a new instance, and ends that.
func (f *faulting) failOnce(w *worker, c faultCase, t *fault) error {
	var run faultRun
	if c.m == f.box.birth {
		s, err := w.birthStep(f.box)
		if err != nil {
			return err
		}
		a, err := w.withFault(t, s, &run)
		if err != nil {
			return err
		}
		if a.code == abi.OK {
			if id, ok := w.checkBirth(f.box, a); ok {
				w.instances = append(w.instances, instance{f.box, id})
			}
		}
		return w.finiAll()
	}
	id, args, err := w.prepare(c.m, c.sample)
	if err != nil {
		return err
	}
	if err := f.prepareFurther(w, id, c.before); err != nil {
		return err
	}
	a, err := w.withFault(t, w.step(c.m, id, args), &run)
	if err != nil {
		return err
	}
	if w.takeOver(c.m, a, args); time.Now().After(f.until.Add(beyond)) || f.ctx.Err() != nil {
		return errors.ErrUnsupported
	}
	return w.finiAll()
}
