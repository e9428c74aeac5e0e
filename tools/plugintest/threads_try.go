package plugintest

import (
	"bytes"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// triers are functions that take a lock where it is free, and else say so at once or after a time.
var triers = []string{
	"pthread_mutex_trylock", "pthread_mutex_timedlock", "pthread_mutex_clocklock", "pthread_rwlock_tryrdlock", "pthread_rwlock_trywrlock",
	"pthread_rwlock_timedrdlock", "pthread_rwlock_timedwrlock", "pthread_spin_trylock", "sem_trywait", "sem_timedwait", "mtx_trylock", "mtx_timedlock",
}

// canTry tells whether the library may have locks that are tried.
func (x *meetings) canTry() bool { return x.atomics || x.code != nil && imports(x.code.file, triers) }

// onlyTried tells whether a call has answered false because another was under way, as one that
// tries a lock may: then all other answers are those of the other call alone.
func (x *meetings) onlyTried(t *trial, r *interleave.Result) (bool, error) {
	if r.Status != interleave.StatusDone || !x.canTry() {
		return false, nil
	}
	have := r.Answers()
	plan := &t.s.program.Plans[t.plan]
	for who := range 2 {
		if i := indexOf(have, plan.Threads[who][0]); i < 0 || !answersFalse(&have[i]) {
			continue
		}
		if err := x.findSingles(t); err != nil {
			return false, err
		}
		without := slices.DeleteFunc(slices.Clone(have), func(a interleave.Answer) bool { return a.Call == plan.Threads[who][0] })
		alone := (&interleave.Result{Outcome: t.single[1-who]}).Answers()
		if slices.EqualFunc(without, alone, func(a, b interleave.Answer) bool { return a.Code == b.Code && bytes.Equal(a.Data, b.Data) }) {
			return true, nil
		}
	}
	return false, nil
}

func indexOf(all []interleave.Answer, call int) int {
	return slices.IndexFunc(all, func(a interleave.Answer) bool { return a.Call == call })
}

func answersFalse(a *interleave.Answer) bool {
	if a.Code != abi.OK {
		return false
	}
	v, err := tlv.DecodeOne(a.Data)
	return err == nil && v == tlv.Bool(false)
}

// findSingles makes each of the two calls of a trial without the other.
func (x *meetings) findSingles(t *trial) error {
	if t.single != nil {
		return nil
	}
	runs, s := t.s.program.Runs, t.s
	defer func() { s.program.Runs = runs }()
	plan := s.program.Plans[t.plan]
	s.program.Runs = nil
	for who := range 2 {
		one := plan
		one.Threads = plan.Threads[who : who+1]
		s.program.Runs = append(s.program.Runs, interleave.Run{Plan: len(s.program.Plans), How: interleave.Ordered, Order: []int{0}, Fresh: true})
		s.program.Plans = append(s.program.Plans, one)
	}
	results, err := x.run(s)
	if err != nil {
		return err
	}
	t.single = []string{results[0].Outcome, results[1].Outcome}
	return nil
}
