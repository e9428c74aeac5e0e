package plugintest

import (
	"bytes"
	"encoding/binary"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// hostInstance is an instance of another library's box, as the library knows it.
type hostInstance struct {
	box  *hostBox
	id   uint32
	held []*method // for each hold where the library was given it
	lent int       // to how many calls under way
	// What it was: held, lent, and in which method that was last.
	wasHeld, wasLent bool
	lentTo           *method
	passedOn         bool // the last hold was answered
}

// hostInstances are the instances that the library was given. Those that it neither holds
// nor is lent are remembered for a while, to tell what it does wrong with them.
type hostInstances struct {
	byID  map[uint32]*hostInstance
	given uint32 // to hold
	held  int    // holds
	lent  int    // lendings
	ended []uint32
}

// maxEnded is how many instances are remembered.
const maxEnded = 1000

func (n *hostInstances) add(b *hostBox, id uint32) *hostInstance {
	if n.byID == nil {
		n.byID = make(map[uint32]*hostInstance)
	}
	i := &hostInstance{box: b, id: id}
	n.byID[id] = i
	return i
}

// hold gives the library a hold of a new instance, or of a singleton's only one.
func (n *hostInstances) hold(b *hostBox, in *method) *hostInstance {
	i := b.shared
	if i == nil {
		i = n.add(b, firstHeld+n.given)
		n.given++
		if b.singleton {
			b.shared = i
		}
	}
	i.held = append(i.held, in)
	i.wasHeld, i.passedOn = true, false
	n.held++
	return i
}

// giveUp takes a hold away.
func (n *hostInstances) giveUp(i *hostInstance) {
	i.held = i.held[:len(i.held)-1]
	n.held--
	if len(i.held) > 0 || i.box.shared == i {
		return
	}
	n.ended = append(n.ended, i.id)
	if len(n.ended) > maxEnded {
		delete(n.byID, n.ended[0])
		n.ended = n.ended[1:]
	}
}

func (n *hostInstances) takeBack(lent []*hostInstance) {
	for _, i := range lent {
		i.lent--
		n.lent--
	}
}

// usable reports whether the library may use an instance.
func (i *hostInstance) usable() bool { return len(i.held) > 0 || i.lent > 0 }

// ownKey is an instance of the library's own.
type ownKey struct{ typeID, instance uint32 }

// ownInstance is who holds an instance of the library's own.
type ownInstance struct {
	tester int // births that the tester made, and not ended
	held   int // holds of the library, which has called its host for it
}

// holdOwn changes who holds an instance of the library's own.
func (h *host) holdOwn(typeID, instance uint32, tester, held int) {
	k := ownKey{typeID, instance}
	i := h.own[k]
	i.tester, i.held = max(0, i.tester+tester), max(0, i.held+held)
	if i == (ownInstance{}) {
		delete(h.own, k)
		return
	}
	h.own[k] = i
}

// lend lends the instances of the host's boxes that are among a call's arguments. They are
// looked for as bytes: a plugin may read messages that no decoder takes.
func (h *host) lend(a *asking, args []byte) {
	for _, i := range h.samples {
		if !bytes.Contains(args, i.bytes()) {
			continue
		}
		i.lent++
		i.wasLent, i.lentTo = true, a.in
		h.instances.lent++
		a.lent = append(a.lent, i)
	}
}

// bytes is the payload of a handle of the instance.
func (i *hostInstance) bytes() []byte {
	var payload [handleSize]byte
	binary.LittleEndian.PutUint32(payload[:], i.box.id)
	binary.LittleEndian.PutUint32(payload[4:], i.id)
	return payload[:]
}

// take takes over what an answer to the tester gives: instances of the library, and its
// holds of others.
func (h *host) take(a *asking, s *step, answer *answer) {
	if answer.code != abi.OK {
		return
	}
	switch s.method {
	case abi.MethodBirth:
		if id, err := contract.ParseBirth(answer.written(), s.typeID); err == nil {
			h.holdOwn(s.typeID, id, 1, 0)
		}
		return
	case abi.MethodFini:
		h.holdOwn(s.typeID, s.instance, -1, 0)
		return
	}
	if answer.length != tlv.HeaderSize+tlv.EntryHeaderSize+handleSize {
		return
	}
	value, ok := answer.value()
	handle, err := value.Handle()
	if !ok || err != nil {
		return
	}
	b := h.byType[handle.Type]
	switch {
	case b == nil || handle.Instance == 0:
	case b.ofLibrary:
		if _, known := h.own[ownKey{handle.Type, handle.Instance}]; !known {
			h.holdOwn(handle.Type, handle.Instance, 1, 0)
		}
	default:
		h.takeHold(a, b, handle.Instance)
	}
}

// handleSize is the size of a Handle's payload.
const handleSize = 8

// takeHold takes over the hold that an answer passes on.
func (h *host) takeHold(a *asking, b *hostBox, id uint32) {
	i := h.instances.byID[id]
	switch {
	case i == nil || i.box != b:
	case len(i.held) > 0:
		i.passedOn = true
		h.instances.giveUp(i)
	case i.lent == 0:
		h.misused(a, i, "returned")
	}
}
