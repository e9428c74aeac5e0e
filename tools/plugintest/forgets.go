package plugintest

import (
	"slices"
	"time"
)

// A library may keep what it has of all instances in one place, by name, say. What it has of an instance that has ended, and nothing
// answers any more, goes from there.

// forgets looks whether memory grows with instances that are given other names, and end.
func (x *exploration) forgets(b *box, until time.Time) {
	if b.singleton || x.askedOf != b {
		return
	}
	for _, m := range x.gen.callable(b) {
		if x.ctx.Err() != nil || time.Now().After(until) {
			return
		}
		if !x.gen.changes[m] || x.shared.slow[m] || x.gen.avoid[m] || meansKept(m) || x.recorder.has(codeGrowth, m) {
			continue
		}
		f, ok := x.fillingWith(b, m)
		if !ok || !slices.ContainsFunc(f.s, isText) || slices.ContainsFunc(f.s, isHandle) || slices.ContainsFunc(f.s, isBlob) || !x.forgotten(b, &f) {
			continue
		}
		x.at(m)
		err := x.withWorker(workerOptions{plain: true, survey: true, brief: true}, func(w *worker) error { return (&forgetting{filling: f, b: b}).watch(w) })
		if err != nil {
			return
		}
	}
}

// forgotten tells whether no instance answers anything of what another one was given that has ended.
func (x *exploration) forgotten(b *box, f *filling) bool {
	first := x.firstBirth(b)
	lives := append(sequence{first}, x.setupOf(f.m)...)
	readers := x.askedWith(b, f.texts(1))
	for i := range readers {
		readers[i].on = len(lives) + 2
	}
	end := op{m: b.fini, on: 0}
	given := slices.Concat(lives, sequence{{m: f.m, on: 0, args: ownInstances(f.numbered(1))}, end, first}, readers)
	never := slices.Concat(lives, sequence{{m: f.m, on: 0, args: ownInstances(f.numbered(2))}, end, first}, readers)
	one, other := x.env.play(given, ordinary), x.env.play(never, ordinary)
	if one.exit != nil || other.exit != nil || len(one.answers) != len(given) || len(other.answers) != len(given) {
		return false
	}
	for i := len(given) - len(readers); i < len(given); i++ {
		if !one.answers[i].same(&other.answers[i]) {
			return false
		}
	}
	return true
}

// texts are the texts that no other call has.
func (f *filling) texts(n int) (all []string) {
	for i, v := range f.numbered(n) {
		if isText(v) && (f.only == 0 || f.only == i+1) {
			all = append(all, v.Data())
		}
	}
	return all
}

// askedWith are calls of all methods of a box with one of some texts for each text that they take.
func (x *exploration) askedWith(b *box, texts []string) (all []op) {
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
				continue
			}
			for _, text := range texts {
				all = append(all, op{m: m, args: literals(withName(types, text))})
			}
		}
	}
	return all
}

// forgetting is a method that is called with other names on instances that end then.
type forgetting struct {
	filling
	b    *box
	made int
}

func (f *forgetting) watch(w *worker) error {
	if _, err := w.birth(f.b); err != nil { // one that stays: what is of all instances is in use
		return err
	}
	bytes, err := grownBy(w, f.m, func() error { return f.life(w) })
	if bytes > 0 {
		f.report(w, bytes)
	}
	return err
}

// life is an instance that is given a name that none before was, and ends.
func (f *forgetting) life(w *worker) error {
	first := len(w.instances)
	id, err := w.birth(f.b)
	if err != nil {
		return err
	}
	calls := append(slices.Clone(w.shared.setup(f.m)), setupCall{f.m, nil})
	f.made++
	calls[len(calls)-1].args = f.numbered(f.made)
	for _, c := range calls {
		args, err := w.encode(c.args, f.b, id)
		if err != nil {
			return err
		}
		if _, err := w.call(c.m, id, args); err != nil {
			return err
		}
	}
	return w.finiSince(first)
}

func (f *forgetting) report(w *worker, bytes int) {
	args, err := w.encode(f.numbered(1), f.b, 1)
	if err != nil {
		return
	}
	s := f.m.step(1, args)
	g := s.finding(codeGrowth, "each instance on which it is called with another text leaves about %d bytes behind after fini, and nothing answers of it any more: after %d instances there is no end to it", bytes, f.made)
	g.Expected = "nothing that is kept of an instance that has ended"
	g.Fix = "have fini, and what takes things away, release what is kept of them for all instances" + howToRemember
	w.add(g)
}
