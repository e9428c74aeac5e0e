package plugintest

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Sequences that are made again and again in one process, with fini after each, must leave no
// memory behind. What single methods leave is another check's (growth); here it takes several, or a
// way out that only some arguments take.

const (
	leakWarmups = 4
	leakRounds  = 4 // that are measured
	// A round makes about so many calls, in so many plays at least and at most.
	leakRoundCalls, leastPlays, mostPlays = 6000, 4, 100
	// leakLeast is the least that a play leaves behind, in bytes: malloc takes 32 for the smallest
	// block. What is less than leakNoise in a round may be the worker's own.
	leakLeast, leakNoise = 20, 48
	// leakCalls are in the sequences that are tried, of those that have shown something new.
	leakCalls = 1500
	// leakTime is the least that is spent on it, where there is twice that for all.
	leakTime = 2 * time.Second
)

// leaks looks for sequences of a box that leave memory behind, where that is known to the byte.
// That takes time which grows with their number, so all are tried together first.
func (x *exploration) leaks(b *box, until time.Time) {
	if !x.shared.heap.only || x.runtime != nil {
		return
	}
	if least := time.Now().Add(x.least(leakTime)); until.Before(least) {
		until = least
	}
	var all []sequence
	calls := 0
	for _, s := range slices.Concat(x.corpus, x.outcomes()) {
		if slices.ContainsFunc(s, func(o op) bool { return o.m.box == b }) {
			all, calls = append(all, s), calls+len(s)
		}
	}
	// The last ones: those that show each outcome of each method, and what was found last.
	for len(all) > 0 && calls > leakCalls {
		calls -= len(all[0])
		all = all[1:]
	}
	if len(all) == 0 || x.left(until, all...) == 0 {
		return
	}
	until = until.Add(beyond)
	for len(all) > 1 && x.ctx.Err() == nil { // one of them leaks
		if half := all[len(all)/2:]; x.left(until, half...) > 0 {
			all = half
			continue
		}
		all = all[:len(all)/2]
	}
	x.reportLeak(all[0], until)
}

// outcomes are the shortest sequences that end with each outcome of each method, the longest of them first.
func (x *exploration) outcomes() []sequence {
	all := slices.Collect(maps.Values(x.shortest))
	slices.SortFunc(all, func(a, b sequence) int { return cmp.Compare(len(b), len(a)) })
	return all
}

// left is about how many bytes a play of all of the calls leaves behind; 0 where it is not so in
// every round, or that takes too long.
func (x *exploration) left(until time.Time, all ...sequence) (least int) {
	own, _ := x.env.alone()
	w, err := own.start(workerOptions{plain: true, survey: true, brief: true, quiet: true})
	if w == nil || err != nil {
		return 0
	}
	defer func() {
		w.close()
		x.counted(own.check.Calls)
	}()
	calls := 0
	for _, ops := range all {
		calls += len(ops)
	}
	plays := min(max(leakRoundCalls/calls, leastPlays), mostPlays)
	var before uint64
	for round := range leakWarmups + leakRounds {
		for range plays {
			for _, ops := range all {
				p := newPlayer(w, nil, ops, world{plain: true, layout: layoutOneThread})
				if p.run(); p.out.exit != nil || x.ctx.Err() != nil || time.Now().After(until) {
					return 0
				}
			}
		}
		state, err := w.processState(all[0][0].m, false)
		if err != nil || state.Now.Heap == 0 {
			return 0
		}
		grown := (int(state.Now.Heap) - int(before) - leakNoise) / plays
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
func (x *exploration) reportLeak(ops sequence, until time.Time) {
	short := x.shrink(ops, -1, func(s sequence) bool { return len(s) > 0 && x.left(until, s) > 0 })
	if short == nil {
		return
	}
	at := len(short) - 1
	for at > 0 && (short[at].isFini() || short[at].isBirth()) {
		at--
	}
	m := short[at].m
	key := findingKey{code: codeGrowth, place: m.String()}
	if x.done[key] || x.recorder.has(codeGrowth, m) || meansKept(m) {
		return
	}
	x.done[key] = true
	bytes := x.left(until, short)
	if bytes == 0 || x.left(until, short) == 0 {
		return
	}
	s := x.shown(short, at)
	f := s.finding(codeGrowth, "%s, made again and again with fini after them, leave about %d bytes behind each time", plural(len(short), "call"), bytes)
	f.Fix = fixToRemember()
	x.report(f, short, ordinary, x.env.play(short, ordinary).answers)
}
