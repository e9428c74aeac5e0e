package plugintest

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"syscall"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// lifecycle checks births and ends of instances and of the library.
func (t *Tester) lifecycle() error {
	for _, b := range t.boxes {
		for _, f := range []func(*rig, *box) error{
			(*rig).bornAndEnded, (*rig).manyInstances, (*rig).endedTwice, (*rig).unknownEnded,
		} {
			err := t.scenario(rigOptions{}, func(r *rig) error { return f(r, b) })
			if err := t.ignoreBirth(err); err != nil {
				return err
			}
		}
	}
	threads := false
	steps := []func() error{
		t.usedAfterFini,
		func() (err error) { threads, err = t.atShutdown(); return err },
		t.growth,
		func() error {
			switch {
			case threads:
				t.skip("unloading: a thread is left, and its code would be gone")
				return nil
			case t.lostIn("shutdown"):
				t.skip("unloading: shutdown does not come back")
				return nil
			}
			return t.reloads()
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// lostIn tells whether a worker was lost in a function of the library.
func (t *Tester) lostIn(function string) bool {
	for _, code := range []string{codeCrash, codeExit, codeHang} {
		if t.seen[code+" "+function+" "] {
			return true
		}
	}
	return false
}

func (r *rig) bornAndEnded(b *box) error {
	for range 3 {
		id, err := r.born(b)
		if err != nil {
			return err
		}
		if err := r.fini(b, id); err != nil {
			return err
		}
	}
	return nil
}

// manyInstances makes many, and ends them in another order while more are made.
func (r *rig) manyInstances(b *box) error {
	if b.single() {
		return nil
	}
	var ids []uint32
	for range 100 {
		id, err := r.born(b)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	r.t.random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for i, id := range ids {
		if err := r.fini(b, id); err != nil {
			return err
		}
		if i%3 == 0 {
			if _, err := r.born(b); err != nil {
				return err
			}
		}
	}
	return r.finiAll()
}

// endedTwice ends an instance again, which may answer anything.
func (r *rig) endedTwice(b *box) error {
	id, err := r.born(b)
	if err != nil {
		return err
	}
	if err := r.fini(b, id); err != nil {
		return err
	}
	_, err = r.run(step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: id, args: emptyMessage, room: roomSize})
	if err != nil {
		return err
	}
	_, err = r.born(b)
	return err
}

// strangers are ids of instances that never were.
var strangers = []uint32{0x7fff_fff1, 0xffff_fffe, 0}

func (r *rig) unknownEnded(b *box) error {
	for _, id := range strangers {
		if _, err := r.run(step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: id, args: emptyMessage, room: roomSize}); err != nil {
			return err
		}
	}
	_, err := r.born(b)
	return err
}

// usedAfterFini calls methods on instances that were ended, and on some that
// never were: a method that tells those apart has to know the ended ones too.
func (t *Tester) usedAfterFini() error {
	return t.each(func(m *method, k known) error {
		err := t.scenario(rigOptions{}, func(r *rig) error {
			never, err := r.run(step{m: m, typeID: m.box.typeID, method: m.id, instance: strangers[0], args: r.encode(k.values, m.box, strangers[0]), room: roomSize})
			if err != nil {
				return err
			}
			id, args, err := r.ready(m, k)
			if err != nil {
				return err
			}
			live, err := r.call(m, id, args)
			if err != nil {
				return err
			}
			if err := r.fini(m.box, id); err != nil {
				return err
			}
			s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: roomSize}
			ended, err := r.run(s)
			if err != nil {
				return err
			}
			if never.code != abi.OK && live.code == abi.OK && ended.code == abi.OK {
				t.add(Finding{Code: codeUseAfterFini, Box: m.box.name, Method: m.name, Call: showCall(&s), Input: hexText(args),
					Message: fmt.Sprintf("after fini it answered %v; for an instance that never was, %v", ended, never)})
			}
			return r.finiAll()
		})
		return t.ignoreBirth(err)
	})
}

// atShutdown calls everything once, leaves instances to shutdown, and looks at
// what the plugin has changed in its process.
func (t *Tester) atShutdown() (threads bool, err error) {
	err = t.scenario(rigOptions{survey: true}, func(r *rig) error {
		if err := r.everything(); err != nil {
			return err
		}
		changes, err := probe.Survey(r.session, true)
		if errors.Is(err, transport.ErrUnsupported) {
			t.skip("working directory, umask, signals and threads: %v", err)
			return nil
		}
		if err != nil {
			return &lostError{&step{m: &method{name: "surroundings"}}, err}
		}
		t.surroundings(changes)
		if err := probe.Shutdown(r.session); err != nil {
			return &lostError{&step{m: &method{name: "shutdown"}}, err}
		}
		if changes, err = probe.Survey(r.session, true); err != nil {
			return &lostError{&step{m: &method{name: "shutdown"}}, err}
		}
		var names []string
		for _, th := range changes.Now.Threads {
			if th.Foreign {
				names = append(names, th.Name)
			}
		}
		if len(names) > 0 {
			threads = true
			t.add(Finding{Code: codeThread, Method: "shutdown", Message: fmt.Sprintf("%s of the plugin's after shutdown (%s)", plural(len(names), "thread"), list(names, ""))})
		}
		return nil
	})
	return threads, err
}

// everything makes an instance of each box and calls each method that can be
// called, twice: what one leaves behind may hurt another. The instances stay.
func (r *rig) everything() error {
	if err := r.t.learn(); err != nil {
		return err
	}
	for _, b := range r.t.boxes {
		if _, err := r.born(b); err != nil {
			if r.t.ignoreBirth(err) == nil {
				continue
			}
			return err
		}
		for range 2 {
			if err := r.all(b); err != nil {
				return r.t.ignoreBirth(err)
			}
		}
	}
	return nil
}

// all calls each method of a box with each list that it is known to take.
func (r *rig) all(b *box) error {
	for _, m := range b.methods {
		for _, k := range m.known {
			if m.broken {
				break
			}
			id, args, err := r.ready(m, k)
			if err != nil {
				return err
			}
			if _, err := r.call(m, id, args); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tester) surroundings(c probe.Changes) {
	if c.Now.Dir != c.Before.Dir {
		t.add(Finding{Code: codeDirectory, Message: fmt.Sprintf("it is now %s", c.Now.Dir)})
	}
	if c.Now.Umask != c.Before.Umask {
		t.add(Finding{Code: codeUmask, Message: fmt.Sprintf("it was %03o and is now %03o", c.Before.Umask, c.Now.Umask)})
	}
	var handled uint64
	for i, handler := range c.Now.Handlers {
		if handler != c.Before.Handlers[i] {
			handled |= 1 << i
		}
	}
	if handled != 0 {
		t.add(Finding{Code: codeSignalHandler, Message: "it handles " + signalNames(handled)})
	}
	var blocked uint64
	for _, th := range c.Now.Threads {
		if !th.Foreign {
			blocked |= th.Blocked
		}
	}
	for _, th := range c.Before.Threads {
		blocked &^= th.Blocked
	}
	if blocked != 0 {
		t.add(Finding{Code: codeSignalsBlocked, Message: "a thread that called the plugin now blocks " + signalNames(blocked)})
	}
}

func signalNames(set uint64) string {
	var names []string
	for ; set != 0; set &= set - 1 {
		name := transport.SignalName(syscall.Signal(bits.TrailingZeros64(set) + 1))
		name, _, _ = strings.Cut(name, " ")
		names = append(names, name)
	}
	return list(cutList(names, 6), "")
}

// reloads unloads the library and loads it again, many times.
func (t *Tester) reloads() error {
	return t.scenario(rigOptions{unload: true}, func(r *rig) error {
		for range 100 {
			for _, b := range t.boxes {
				id, err := r.born(b)
				if err != nil {
					return t.ignoreBirth(err)
				}
				if err := r.fini(b, id); err != nil {
					return err
				}
			}
			if err := probe.Reload(r.session); err != nil {
				return &lostError{&step{m: &method{name: "reload"}}, err}
			}
		}
		return nil
	})
}
