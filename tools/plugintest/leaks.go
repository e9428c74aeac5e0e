package plugintest

import "slices"

// Sequences that are made again and again in one process, with fini after each, must leave no
// memory behind. What single methods leave is another check's (growth); here it takes several, or a
// way out that only some arguments take.

const (
	leakWarmups = 3
	leakRounds  = 5 // that are measured
	leakPlays   = 16
	// leakLeast is the least that a play leaves behind, in bytes: malloc takes 32 for the smallest
	// block. What the worker takes for itself in a round is less than the rest of a round's plays.
	leakLeast = 24
	// leakSequences are tried, of those that have shown something new.
	leakSequences = 40
)

// leaks looks for sequences of a box that leave memory behind, where that is known to the byte.
// That takes time which grows with their number, so all are tried together first.
func (x *exploration) leaks(b *box) {
	if !x.shared.onHeap || x.runtime != nil {
		return
	}
	all := slices.DeleteFunc(slices.Clone(x.corpus), func(s sequence) bool {
		return !slices.ContainsFunc(s, func(o op) bool { return o.m.box == b })
	})
	all = all[max(0, len(all)-leakSequences):]
	if len(all) == 0 || x.left(all...) == 0 {
		return
	}
	for len(all) > 1 && x.ctx.Err() == nil { // one of them leaks
		if half := all[len(all)/2:]; x.left(half...) > 0 {
			all = half
			continue
		}
		all = all[:len(all)/2]
	}
	x.reportLeak(all[0])
}

// left is about how many bytes a play of all of the calls leaves behind; 0 where it is not so in
// every round.
func (x *exploration) left(all ...sequence) (least int) {
	own, _ := x.env.alone()
	w, err := own.start(workerOptions{plain: true, survey: true, brief: true, quiet: true})
	if w == nil || err != nil {
		return 0
	}
	defer func() {
		w.close()
		x.counted(own.check.Calls)
	}()
	var before uint64
	for round := range leakWarmups + leakRounds {
		for range leakPlays {
			for _, ops := range all {
				p := newPlayer(w, nil, ops, world{plain: true, layout: layoutOneThread})
				if p.run(); p.out.exit != nil || x.ctx.Err() != nil {
					return 0
				}
			}
		}
		state, err := w.processState(all[0][0].m, false)
		if err != nil || state.Now.Heap == 0 {
			return 0
		}
		grown := (int(state.Now.Heap) - int(before)) / leakPlays
		before = state.Now.Heap
		switch {
		case round < leakWarmups:
			continue
		case grown < leakLeast:
			return 0
		case least == 0 || grown < least:
			least = grown
		}
	}
	return least
}

// reportLeak reports the shortest calls that leave memory behind.
func (x *exploration) reportLeak(ops sequence) {
	short := x.shrink(ops, -1, func(s sequence) bool { return len(s) > 0 && x.left(s) > 0 })
	if short == nil {
		return
	}
	at := len(short) - 1
	for at > 0 && (short[at].isFini() || short[at].isBirth()) {
		at--
	}
	m := short[at].m
	key := findingKey{code: codeGrowth, place: m.String()}
	if x.done[key] || x.recorder.has(codeGrowth, m) {
		return
	}
	x.done[key] = true
	bytes := x.left(short)
	if bytes == 0 || x.left(short) == 0 {
		return
	}
	s := x.shown(short, at)
	f := s.finding(codeGrowth, "%s, made again and again with fini after them, leave about %d bytes behind each time", plural(len(short), "call"), bytes)
	x.report(f, short, ordinary, x.env.play(short, ordinary).answers)
}
