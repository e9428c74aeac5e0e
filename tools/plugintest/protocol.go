package plugintest

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// protocol sends every method what no good host sends.
func (t *Tester) protocol() error {
	if err := t.learn(); err != nil {
		return err
	}
	for _, b := range t.boxes {
		if b.barren {
			t.skip("%s: there are no instances", b.name)
			continue
		}
		for _, m := range append([]*method{b.birth}, append(slices.Clone(b.methods), b.fini)...) {
			if m.broken {
				t.skip("%s.%s: it ends its process on ordinary calls", b.name, m.name)
				continue
			}
			t.at(m)
			if err := t.hostile(m); err != nil {
				return err
			}
		}
		if err := t.ignoreBirth(t.scenario(rigOptions{}, func(r *rig) error { return r.unknownIDs(b) })); err != nil {
			return err
		}
	}
	return t.each(func(m *method, k known) error {
		if err := t.ignoreBirth(t.scenario(rigOptions{}, func(r *rig) error { return r.shortBuffers(m, k) })); err != nil {
			return err
		}
		answers, err := t.steady(m, k)
		if len(answers) == 0 || err != nil {
			return err
		}
		if err := t.shortEffects(m, k, answers); err != nil {
			return err
		}
		return t.batches(m, k, answers)
	})
}

// mostLosses is how often a method may end its process before it is left alone.
const mostLosses = 3

// hostile calls a method with every mutant of its messages.
func (t *Tester) hostile(m *method) error {
	base := emptyMessage
	var k known
	if len(m.known) > 0 {
		k = m.known[0]
		base = (&rig{t: t}).encode(k.plain(), m.box, 1)
	}
	mutants := t.mutants(base)
	accepted, refused := []mutant{}, 0
	for losses := 0; len(mutants) > 0 && losses < mostLosses; {
		left := len(mutants)
		err := t.scenario(rigOptions{}, func(r *rig) error {
			id := uint32(0)
			if m != m.box.birth {
				var err error
				if id, _, err = r.ready(m, k.orNothing()); err != nil {
					return err
				}
			}
			for len(mutants) > 0 {
				mu := mutants[0]
				mutants = mutants[1:]
				a, err := r.hostileCall(m, id, mu)
				if err != nil {
					losses++
					return err
				}
				switch {
				case a.code == abi.ErrInvalidArgs || a.code == abi.ErrInvalidUTF8 || a.code == abi.ErrVersionMismatch:
					refused++
				case a.code != abi.OK: // its state, say
				case mu.malformed:
					accepted = append(accepted, mu)
				}
				if m == m.box.fini && a.code == abi.OK {
					r.owned = nil
					if id, err = r.born(m.box); err != nil {
						return err
					}
				}
			}
			return r.finiAll()
		})
		if err := t.ignoreBirth(err); err != nil {
			return err
		}
		if len(mutants) == left {
			break // no rig, or no instance
		}
	}
	// A method that never refuses anything does not read its arguments, and birth
	// and fini need not.
	if refused > 0 && len(accepted) > 0 && m != m.box.birth && m != m.box.fini {
		mu := accepted[0]
		t.add(Finding{Code: codeAccepted, Box: m.box.name, Method: m.name, Input: hexText(mu.message),
			Message: fmt.Sprintf("it answered 0 to %s (and to %d others)", mu.what, len(accepted)-1)})
	}
	return nil
}

func (k known) orNothing() known {
	if k.works {
		return k
	}
	return known{}
}

// hostileCall makes one call, of which only the memory counts.
func (r *rig) hostileCall(m *method, id uint32, mu mutant) (*answer, error) {
	s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: mu.message, room: roomSize}
	if len(mu.message) == 0 {
		s.layout = wire.NullArgs
	}
	a, err := r.run(s)
	if err != nil {
		return nil, err
	}
	if m == m.box.birth {
		if a.code == abi.OK && a.length == 4 {
			r.owned = append(r.owned, instance{m.box, binary.LittleEndian.Uint32(a.room)})
		}
		return a, nil
	}
	if m != m.box.fini {
		r.t.judge(r, &s, a)
		r.takeOver(m, a, s.args)
	}
	return a, nil
}

// unknownIDs calls types, methods and instances that there are not.
func (r *rig) unknownIDs(b *box) error {
	id, err := r.born(b)
	if err != nil {
		return err
	}
	// Far from those that there are: a plugin may have some that it does not tell of.
	for _, unknown := range []uint32{0xffff_fffe, 0x7fff_ffff, 0x8000_0000, 0x1234_5678} {
		s := step{m: &method{box: b, name: fmt.Sprintf("method %d", unknown)}, typeID: b.typeID, method: unknown, instance: id, args: emptyMessage, room: roomSize}
		a, err := r.run(s)
		if err != nil {
			return err
		}
		if a.code == abi.OK && len(b.methods) > 0 {
			r.t.add(Finding{Code: codeAnyMethod, Box: b.name, Call: showCall(&s), Message: fmt.Sprintf("it answered %v to method %d", a, unknown)})
		}
	}
	for _, m := range b.methods {
		if m.broken || len(m.known) == 0 || !m.known[0].works {
			continue
		}
		if err := r.strangers(m, m.known[0]); err != nil {
			return err
		}
	}
	return r.finiAll()
}

// strangers calls a method that works for other types and instances.
func (r *rig) strangers(m *method, k known) error {
	id, args, err := r.ready(m, k)
	if err != nil {
		return err
	}
	for _, stranger := range strangers {
		s := step{m: m, typeID: m.box.typeID, method: m.id, instance: stranger, args: args, room: roomSize}
		a, err := r.run(s)
		if err != nil {
			return err
		}
		r.t.judge(r, &s, a)
		r.takeOver(m, a, s.args)
	}
	for _, other := range []uint32{m.box.typeID + 1000, 0xffff_fff0} {
		if r.t.boxOf(other) != nil {
			continue
		}
		s := step{m: m, typeID: other, method: m.id, instance: id, args: args, room: roomSize}
		a, err := r.run(s)
		if err != nil {
			return err
		}
		r.takeOver(m, a, s.args)
		if a.code == abi.OK {
			r.t.add(Finding{Code: codeAnyType, Box: m.box.name, Call: showCall(&s), Message: fmt.Sprintf("it answered %v for type %d", a, other)})
			return nil
		}
	}
	return nil
}

// shortBuffers calls a method with too little room.
func (r *rig) shortBuffers(m *method, k known) error {
	id, args, err := r.ready(m, k)
	if err != nil {
		return err
	}
	full, err := r.call(m, id, args)
	if err != nil {
		return err
	}
	rooms := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16}
	if full.code == abi.OK && !full.isVoid() {
		for _, n := range []int{int(full.length) - 1, int(full.length), int(full.length) + 1} {
			if n > 0 && n < roomSize {
				rooms = append(rooms, n)
			}
		}
	}
	for _, room := range rooms {
		if err := r.shortBuffer(m, id, args, room); err != nil {
			return err
		}
	}
	return r.finiAll()
}

func (r *rig) shortBuffer(m *method, id uint32, args []byte, room int) error {
	s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: room}
	for _, layout := range []wire.Layout{0, wire.NullResult} {
		if layout != 0 && room > 0 {
			break
		}
		s.layout = layout
		a, err := r.run(s)
		if err != nil {
			return err
		}
		r.t.judge(r, &s, a)
		r.takeOver(m, a, s.args)
		if a.code != abi.ErrShortBuffer || a.length <= uint64(room) || a.length > maxResult {
			continue
		}
		// What it asks for must do in the end.
		again := s
		again.layout = 0
		for tries := 1; a.code == abi.ErrShortBuffer && a.length > uint64(again.room) && a.length <= maxResult; tries++ {
			if tries > mostTries {
				r.t.add(Finding{Code: codeShortLength, Box: m.box.name, Method: m.name, Call: showCall(&again), Input: hexText(args),
					Message: fmt.Sprintf("it asked for %d bytes, got them, and asked for %d", again.room, a.length)})
				break
			}
			again.room = int(a.length)
			if a, err = r.run(again); err != nil {
				return err
			}
			r.t.judge(r, &again, a)
		}
		r.takeOver(m, a, s.args)
	}
	return nil
}

// shortEffects compares what a method answers with what it answers when calls
// with too little room come in between. Such a call must not have happened.
func (t *Tester) shortEffects(m *method, k known, plain []string) error {
	probed, err := t.series(m, k, true)
	if probed == nil || err != nil {
		return err
	}
	for i := range plain {
		if plain[i] != probed[i] {
			t.add(Finding{Code: codeShortEffect, Box: m.box.name, Method: m.name,
				Call:    showCall(&step{m: m, typeID: m.box.typeID, method: m.id, instance: 1, args: (&rig{t: t}).encode(k.plain(), m.box, 1), room: 0}),
				Message: fmt.Sprintf("call %d answers %s, and %s when calls without room come before", i+1, plain[i], probed[i])})
			return nil
		}
	}
	return nil
}

// steady is what a method answers to a few calls on a new instance; nil where that
// depends on something else.
func (t *Tester) steady(m *method, k known) ([]string, error) {
	if !k.works {
		return nil, nil
	}
	answers, err := t.series(m, k, false)
	if err != nil {
		return nil, err
	}
	again, err := t.series(m, k, false)
	if err != nil || !slices.Equal(answers, again) {
		return nil, err
	}
	return answers, nil
}

// series is what a method answers to a few calls, with calls that have no room
// before each, if they are asked for; nil where none of those was too short.
func (t *Tester) series(m *method, k known, probe bool) (answers []string, err error) {
	err = t.scenario(rigOptions{}, func(r *rig) error {
		id, args, err := r.ready(m, k)
		if err != nil {
			return err
		}
		short := false
		for range 4 {
			if probe {
				s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: 0}
				a, err := r.run(s)
				if err != nil {
					return err
				}
				short = short || a.code == abi.ErrShortBuffer
				if a.code != abi.ErrShortBuffer {
					return r.finiAll()
				}
			}
			a, err := r.call(m, id, args)
			if err != nil {
				return err
			}
			answers = append(answers, a.comparable())
		}
		if probe && !short {
			answers = nil
		}
		return r.finiAll()
	})
	if probe && len(answers) < 4 {
		return nil, t.ignoreBirth(err)
	}
	return answers, t.ignoreBirth(err)
}

// comparable is the answer without what differs from run to run: the instance of
// a handle.
func (a *answer) comparable() string {
	if v, ok := a.value(); ok {
		if h, err := v.Handle(); err == nil {
			return fmt.Sprintf("handle of type %d", h.Type)
		}
		if _, length, err := v.Blob(); err == nil {
			return fmt.Sprintf("blob of %d bytes", length)
		}
	}
	return a.String()
}
