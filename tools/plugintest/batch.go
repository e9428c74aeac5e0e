package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// batchRoom is the room that hosts give to each call of a batch, in bytes.
const batchRoom = 1024

// batches compares what a method answers in a batch with what it answers alone.
func (t *Tester) batches(m *method, k known, alone []string) error {
	if !slices.Contains(t.exports, abi.SymbolInvokeBatch) {
		return nil
	}
	err := t.scenario(rigOptions{}, func(r *rig) error {
		if err := r.wholeBatch(m, k, alone); err != nil {
			return err
		}
		if err := r.shortBatch(m, k); err != nil {
			return err
		}
		return r.finiAll()
	})
	return t.ignoreBirth(err)
}

// inBatch makes one call several times, with these rooms.
func (r *rig) inBatch(m *method, k known, rooms ...int) (*probe.Batch, error) {
	id, args, err := r.ready(m, k)
	if err != nil {
		return nil, err
	}
	b := &probe.Batch{}
	for _, room := range rooms {
		b.Calls = append(b.Calls, probe.BatchCall{TypeID: m.box.typeID, Method: m.id, Instance: id, Args: args, Room: room})
	}
	r.t.check.Calls += len(rooms)
	if err := probe.RunBatch(r.session, b); err != nil {
		return nil, &lostError{&step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: batchRoom, racing: true}, err}
	}
	if b.Damage != 0 {
		r.t.add(Finding{Code: codeOverrun, Box: m.box.name, Method: m.name, Message: "in a batch, it wrote past the room for a result"})
	}
	return b, nil
}

// batchAnswer is what a call of a batch answered.
func batchAnswer(c *probe.BatchCall) *answer {
	return &answer{code: abi.Code(c.Code), length: c.Length, room: c.Result}
}

func (r *rig) wholeBatch(m *method, k known, alone []string) error {
	b, err := r.inBatch(m, k, slices.Repeat([]int{batchRoom}, len(alone))...)
	if err != nil {
		return err
	}
	for i := range b.Calls {
		a := batchAnswer(&b.Calls[i])
		if a.code == abi.ErrShortBuffer && a.length > batchRoom {
			return nil // a host makes the rest one by one
		}
		r.takeOver(m, a, nil)
		if b.Calls[i].Code == probe.Unwritten || i >= b.Made || a.comparable() != alone[i] {
			have := a.comparable()
			if b.Calls[i].Code == probe.Unwritten {
				have = "nothing"
			}
			r.t.add(Finding{Code: codeBatch, Box: m.box.name, Method: m.name,
				Message: fmt.Sprintf("call %d of a batch of %d answered %s, alone it answers %s; %d were made, it says", i+1, len(alone), have, alone[i], b.Made)})
			return nil
		}
	}
	return nil
}

// shortBatch has no room for the second of three calls.
func (r *rig) shortBatch(m *method, k known) error {
	b, err := r.inBatch(m, k, batchRoom, 0, batchRoom)
	if err != nil {
		return err
	}
	for i := range b.Calls {
		if b.Calls[i].Code == 0 {
			r.takeOver(m, batchAnswer(&b.Calls[i]), nil)
		}
	}
	if abi.Code(b.Calls[1].Code) == abi.ErrShortBuffer && (b.Made != 2 || b.Calls[2].Code != probe.Unwritten) {
		r.t.add(Finding{Code: codeBatch, Box: m.box.name, Method: m.name, Expected: "2",
			Message: fmt.Sprintf("of a batch of 3 whose second call answered short buffer it made %d", b.Made)})
	}
	return nil
}
