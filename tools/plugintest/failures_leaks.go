package plugintest

import (
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	faultRounds = 3   // that are measured
	faultPlays  = 100 // of a round
	// surePlays come before what is measured last, to see whether what is left behind has a bound: a ring
	// of the last errors, say.
	surePlays = 8000
	// quickPlay is what a play takes at most for which there is more time than for slow ones.
	quickPlay = 10 * time.Millisecond
)

// leaks looks for memory and descriptors that calls leave behind in which something fails: on instances
// that are ended, again and again.
func (f *faulting) leaks(c faultCase, all []fault) {
	if len(all) == 0 || f.ctx.Err() != nil || time.Now().After(f.until) || !f.leaves(c, all) {
		return
	}
	for len(all) > 1 { // one of them
		half := all[len(all)/2:]
		if !f.leaves(c, half) {
			half = all[:len(all)/2]
		}
		all = half
	}
	bytes, files := f.leftBy(c, all, faultPlays)
	if f.hurried = false; bytes == 0 && files == 0 || f.leaves(c, nil) || f.hurried {
		return // or it is not known whether it leaves that behind anyway
	}
	if files == 0 {
		// No more than the memory limit allows. There are no bounds on what is kept that would take
		// as many descriptors.
		bytes, _ = f.leftBy(c, all, min(surePlays, memoryLimit/4/bytes))
	} else if !f.leaves(c, all) {
		return
	}
	if bytes > 0 || files > 0 {
		f.reportLeak(c, &all[0], bytes, files)
	}
}

func (f *faulting) leaves(c faultCase, some []fault) bool {
	bytes, files := f.leftBy(c, some, faultPlays)
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
// So many plays come first, which are not measured.
func (f *faulting) leftBy(c faultCase, all []fault, first int) (bytes, files int) {
	own, _ := f.alone()
	w, err := own.start(workerOptions{plain: true, brief: true, quiet: true, survey: true})
	if w == nil || err != nil {
		return 0, 0
	}
	defer f.end(w)
	if len(all) == 0 {
		all = []fault{theFault}
	}
	start, made := time.Now(), 0
	late := func() bool {
		made++
		now := time.Now()
		return f.ctx.Err() != nil || now.After(f.until.Add(beyond)) || now.After(f.until) && now.Sub(start) > time.Duration(made)*quickPlay
	}
	var heap, open []int
	for plays := first; len(heap) <= faultRounds; plays = faultPlays {
		for range plays {
			for i := range all {
				if err := f.failOnce(w, c, &all[i]); err != nil || late() {
					f.hurried = true
					return 0, 0
				}
			}
		}
		state, err := w.processState(c.m, false)
		if err != nil {
			return 0, 0
		}
		w.trace = nil
		heap, open = append(heap, int(state.Now.Heap)), append(open, state.Now.Files)
		if len(heap) == 1 {
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

// leastGrowth is by how much each round has grown, at least.
func leastGrowth(counts []int) int {
	least := counts[1] - counts[0]
	for i := 2; i < len(counts); i++ {
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
			w.noteBirth(f.box, a)
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
	w.takeOver(c.m, a, args)
	return w.finiAll()
}
