package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// A call that fails after another one, and not before it, has looked for something that the other takes away, or adds.
// Between the look and what follows the other may come. Of most pairs of calls with the arguments that are known the two have
// nothing to do with each other; so one is also given a name that the other needs.

const (
	// conflictTime is how long conflicts are looked for, and conflictBatch how many meetings the driver is given at a time.
	conflictTime  = 3 * time.Second
	conflictBatch = 64
	maxSameNamed  = 4 // argument lists of an act with another's names
)

// conflicts are the meetings of two calls of which one fails, or not, by their order.
func (x *meetings) conflicts() (all []meeting, err error) {
	left, until := x.mayConflict(), time.Now().Add(conflictTime*time.Duration(x.stretch))
	for len(left) > 0 && time.Now().Before(until) {
		n := min(len(left), conflictBatch)
		some, err := x.inConflict(left[:n])
		if err != nil {
			return nil, err
		}
		left, all = left[n:], append(all, some...)
	}
	apart, err := x.inConflict(onTwo(all)) // calls on one instance are made one after the other, perhaps
	if err != nil {
		return nil, err
	}
	all = append(apart, all...)
	for _, m := range slices.Clone(all) {
		m.acts[0], m.acts[1] = m.acts[1], m.acts[0]
		all = append(all, m)
	}
	return all, nil
}

// mayConflict are the meetings of each two calls on one instance, one of which changes something, with the arguments that are
// known and with the same names.
func (x *meetings) mayConflict() (all []meeting) {
	for i, a := range x.acts {
		for _, b := range x.acts[i+1:] {
			if a.kind != interleave.KindCall || b.kind != interleave.KindCall || a.reads && b.reads {
				continue
			}
			all = append(all, meeting{acts: [2]*act{a, b}})
			for _, same := range sameNamed(b, a) {
				all = append(all, meeting{acts: [2]*act{a, same}})
			}
			for _, same := range sameNamed(a, b) {
				all = append(all, meeting{acts: [2]*act{same, b}})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b meeting) int { return a.unlikely() - b.unlikely() })
	return all
}

// unlikely is the higher the less two calls seem to have to do with each other: those that need the same, or one of which needs the
// other, may take it from each other.
func (m *meeting) unlikely() int {
	a, b := m.acts[0], m.acts[1]
	needs := func(a, b *act) bool {
		return slices.ContainsFunc(a.setup, func(c setupCall) bool {
			return c.m == b.m || slices.ContainsFunc(b.setup, func(d setupCall) bool { return c.m == d.m })
		})
	}
	switch {
	case needs(a, b) || needs(b, a):
		return 0
	case shareNames(a, b):
		return 1
	}
	return 2
}

// onTwo are meetings on one instance as such on two.
func onTwo(list []meeting) (all []meeting) {
	for _, m := range list {
		if m.separate = true; !m.acts[0].m.box.singleton {
			all = append(all, m)
		}
	}
	return all
}

// sameNamed are acts like one, but with a text that another or what prepares it is given.
func sameNamed(a, other *act) (all []*act) {
	given := slices.Clone(other.args[alike])
	for _, c := range other.setup {
		given = append(given, c.args...)
	}
	for _, name := range given {
		for i, v := range a.args[alike] {
			if !isText(name) || v.Tag() != name.Tag() || v == name || len(all) == maxSameNamed {
				continue
			}
			args := slices.Clone(a.args[alike])
			args[i] = name
			if !slices.ContainsFunc(all, func(b *act) bool { return slices.Equal(b.args[alike], args) }) {
				same := *a
				same.args = [3]values{args, args, args}
				all = append(all, &same)
			}
		}
	}
	return all
}

// inConflict are those of some meetings whose calls, one after the other, answer another code in the other order.
func (x *meetings) inConflict(list []meeting) (all []meeting, err error) {
	s := newScript(x.env)
	var planned []meeting
	for i := range list {
		if plan, ok := x.plan(s, &list[i]); ok {
			t := trial{plan: len(s.program.Plans)}
			s.program.Runs = append(s.program.Runs, t.ordered(0, true), t.ordered(1, true))
			s.program.Plans, planned = append(s.program.Plans, plan), append(planned, list[i])
		}
	}
	results, err := x.run(s)
	if err != nil {
		return nil, err
	}
	for i, m := range planned {
		first, second := &results[2*i], &results[2*i+1]
		if first.Status != interleave.StatusDone || second.Status != interleave.StatusDone {
			continue
		}
		for _, calls := range s.program.Plans[i].Threads {
			one, other := indexOf(first.Answers(), calls[0]), indexOf(second.Answers(), calls[0])
			if one >= 0 && other >= 0 && failed(first.Answers()[one].Code) != failed(second.Answers()[other].Code) {
				all = append(all, m)
				break
			}
		}
	}
	return all, nil
}
