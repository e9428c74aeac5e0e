package loader

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// life is one life of a library: the library in this process, one worker or one module. It has what
// the library knows of other libraries' boxes.
type life struct {
	lib     *library
	way     atomic.Pointer[backend] // nil while a library in this process is loaded
	handles *calls.Handles[*instance]
	turn    *calls.Turn // of a WebAssembly module, for calls that are part of a chain; else nil
	direct  *callSlot   // of a WebAssembly module, its own; else nil
}

// backend is the way to the life's instances, or nil where it is being loaded in this
// process and has none yet.
func (l *life) backend() backend {
	if b := l.way.Load(); b != nil {
		return *b
	}
	return nil
}

// lives are those of a library that have not ended.
type lives struct {
	ids calls.IDs // for handles, of all lives

	mu       sync.Mutex
	all      []*life              // the youngest last
	youngest atomic.Pointer[life] // of all, or nil
}

// lifeOf finds the life of a backend, or notes that it has begun. A library in this process
// begins its life without one, and has one at a time: nil stands for that.
func (l *library) lifeOf(b backend) *life {
	if known := l.lives.youngest.Load(); known != nil && (b == nil || known.backend() == b) {
		return known
	}
	l.lives.mu.Lock()
	defer l.lives.mu.Unlock()
	for _, known := range l.lives.all {
		if b == nil || known.backend() == b {
			return known
		}
	}
	known := l.begin(b)
	if b != nil && b.Lost() {
		known.handles.End() // nobody would end it later
		return known
	}
	l.lives.all = append(l.lives.all, known)
	l.lives.youngest.Store(known)
	return known
}

func (l *library) begin(b backend) *life {
	begun := &life{lib: l, handles: calls.NewHandles[*instance](&l.lives.ids, l.host.options.maxHolds)}
	if b != nil {
		begun.way.Store(&b)
	}
	if m, ok := b.(modules.Module); ok {
		begun.direct, _ = m.Slot().(*callSlot)
	}
	if l.isModule() {
		begun.turn = calls.NewTurn()
	}
	return begun
}

// lifeOfCaller is the life in which a library asks; see [hostvtable.Caller].
func (l *library) lifeOfCaller(session any) *life {
	b, _ := session.(backend)
	return l.lifeOf(b)
}

// endLife gives up what a life held: its backend has ended.
func (l *library) endLife(b backend) {
	l.lives.mu.Lock()
	var ended *life
	for i, known := range l.lives.all {
		if known.backend() == b {
			ended = known
			l.lives.all = append(l.lives.all[:i:i], l.lives.all[i+1:]...)
			l.lives.youngest.CompareAndSwap(known, nil)
			break
		}
	}
	l.lives.mu.Unlock()
	if ended == nil {
		return
	}
	if l.connection != nil {
		l.connection.kept.Drop() // a thread of the next life may have the number of one of this
	}
	for in, holds := range ended.handles.End() {
		in.releaseHolds(holds)
	}
}

// forget has no library know an instance that has ended.
func (h *Host) forget(in *instance) {
	if !in.named.Load() {
		return
	}
	for _, l := range h.libraries {
		for _, life := range l.allLives() {
			life.handles.Forget(in)
		}
	}
}

// allLives are the library's lives that have not ended. The slice is not changed.
func (l *library) allLives() []*life {
	l.lives.mu.Lock()
	defer l.lives.mu.Unlock()
	return l.lives.all[:len(l.lives.all):len(l.lives.all)]
}

// errNoNumbers: a library was told of 2^32 instances of others.
var errNoNumbers = errors.New("the library can be told of no further boxes of other libraries")

// errNoNumber says why the life's library gets no number for an instance.
func (l *life) errNoNumber() error {
	if b := l.backend(); b != nil && b.Lost() {
		return l.lib.errLost()
	}
	return errNoNumbers
}

// errNotHeld is the error of a hold that the life's library does not get.
func (l *life) errNotHeld(err error) error {
	if errors.Is(err, calls.ErrTooMany) {
		return codeErrorf(abi.ErrOutOfMemory, "%s holds %d boxes, and a library may hold no more (loader.WithMaxHolds)", l.lib.name, l.lib.host.options.maxHolds)
	}
	return l.errNoNumber()
}

// nameOf is the handle by which the life's library knows an instance: its own, or numbers
// that are made for the library (docs/abi.md, Handles).
func (l *life) nameOf(in *instance) (tlv.Handle, error) {
	if in.lib == l.lib {
		return in.handle(), nil
	}
	in.named.Store(true)
	id := l.handles.Name(in)
	if id == 0 {
		return tlv.Handle{}, l.errNoNumber()
	}
	typeID, err := l.lib.foreign.typeID(in.boxType())
	return tlv.Handle{Type: typeID, Instance: id}, err
}

// hold gives the life's library a hold of an instance, and returns the handle by which it
// knows that. A hold of a singleton keeps nothing alive, because the host does.
func (l *life) hold(in *instance) (tlv.Handle, error) {
	if !in.singleton && !in.addHold() {
		return tlv.Handle{}, ErrClosed
	}
	own := in.lib == l.lib
	in.named.Store(true)
	id, err := l.handles.Hold(in, own)
	if err != nil {
		in.releaseHolds(1)
		return tlv.Handle{}, l.errNotHeld(err)
	}
	if own {
		return in.handle(), nil
	}
	typeID, err := l.lib.foreign.typeID(in.boxType())
	if err != nil {
		l.giveUp(in)
		return tlv.Handle{}, err
	}
	return tlv.Handle{Type: typeID, Instance: id}, nil
}

// giveUp takes one of the library's holds of an instance away, if it has one.
func (l *life) giveUp(in *instance) {
	if l.handles.GiveUp(in) {
		in.releaseHolds(1)
	}
}

// foreignTypes are the types of other libraries' boxes that a library was told of, by the
// ids that were made for it.
type foreignTypes struct {
	lib *library

	mu  sync.RWMutex
	ids map[*boxType]uint32
	all atomic.Pointer[[]*boxType] // by id - firstForeignType; replaced, and never changed
}

// firstForeignType is the first id that is made for the type of another library's box.
// Libraries number their own from the other end.
const firstForeignType = 1 << 31

// typeID is the id by which the library knows a box of another.
func (f *foreignTypes) typeID(t *boxType) (uint32, error) {
	f.mu.RLock()
	id, ok := f.ids[t]
	f.mu.RUnlock()
	if ok {
		return id, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.ids[t]; ok {
		return id, nil
	}
	// The library's own ids come from its init, perhaps only later: see bind.
	var all []*boxType
	if known := f.all.Load(); known != nil {
		all = slices.Clone(*known)
	}
	for f.lib.hasTypeID(firstForeignType + uint32(len(all))) {
		all = append(all, nil)
	}
	id = firstForeignType + uint32(len(all))
	if f.ids == nil {
		f.ids = make(map[*boxType]uint32)
	}
	f.ids[t] = id
	all = append(all, t)
	f.all.Store(&all)
	return id, nil
}

// byID is the box of another library that an id stands for, or nil.
func (f *foreignTypes) byID(id uint32) *boxType {
	known := f.all.Load()
	if known == nil || id < firstForeignType || id-firstForeignType >= uint32(len(*known)) {
		return nil
	}
	return (*known)[id-firstForeignType]
}

// typeInText is an id of a foreign type where the SDKs speak of one.
var typeInText = regexp.MustCompile(`\btype ([2-4][0-9]{9})\b`)

// named says which boxes of other libraries the ids in a library's text stand for, whose names it does
// not know.
func (f *foreignTypes) named(text string) string {
	if f.all.Load() == nil {
		return ""
	}
	var names []string
	for _, found := range typeInText.FindAllStringSubmatch(text, -1) {
		id, err := strconv.ParseUint(found[1], 10, 32)
		if err != nil {
			continue
		}
		if t := f.byID(uint32(id)); t != nil {
			names = append(names, fmt.Sprintf("type %d is %s", id, contract.Printable(t.name)))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
