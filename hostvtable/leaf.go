//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package hostvtable

import (
	"fmt"
	"log/slog"
	"math"
	"strings"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// Leaf methods (docs/abi.md, Leaf methods) run on C stacks of their own, on a goroutine that
// the runtime takes for one that runs Go. An entry point that is called on such a stack must
// not enter Go: it leaves a note in the stack's page, and Deliver carries that out afterwards.
// It knows these stacks by the address of its own: they lie in one region of memory.

const (
	// LeafStride is the distance between leaf stacks, which begin and end at multiples of it:
	// so the entry points find a stack's page by its address.
	LeafStride = 2 << 20
	// LeafPageSize is what a LeafPage takes, in bytes.
	LeafPageSize = 4096

	maxLeafLine = 1024 //nolint:unused // bytes of a line that are kept, by entry_$GOARCH.s
)

// leafLow and leafSize are the region of leaf stacks; no address lies in one of size 0. The
// entry points read them.
var leafLow, leafSize uintptr //nolint:unused // read by entry_$GOARCH.s

// LeafPage lies at the top of each leaf stack. What a plugin has written there beside its notes
// damages notes at most. It belongs to the goroutine that makes the call.
type LeafPage struct {
	// Label says for people what is called, and is read when that crashes: text of
	// LabelLength bytes, which the caller keeps alive. No field is a Go pointer: the write
	// barrier would mark what an earlier call has left there.
	Label       uintptr
	LabelLength uintptr
	Base        uintptr // where the method's library lies

	used  uint32 // of notes, in bytes
	lost  uint32 // lines and wakes that had no room
	asked uint32 // calls of functions that a leaf method must not call
	_     uint32
	notes [leafNotes]byte
}

const leafNotes = LeafPageSize - 40

// A note is a leafNote and the text behind it, up to a multiple of 8 bytes. Layout and size are
// also in entry_$GOARCH.s.
type leafNote struct {
	number uint32 // of the entry point
	length uint32 // of the text in bytes; leafUnreadable for none
	value  uint64 // the level, with leafCut where the line is longer; or what wake was given
}

const (
	leafUnreadable = math.MaxUint32
	leafCut        = 1 << 32
)

// The layout that entry_$GOARCH.s relies on.
var (
	_ [LeafPageSize - unsafe.Sizeof(LeafPage{})]struct{}
	_ [unsafe.Sizeof(LeafPage{}) - LeafPageSize]struct{}
)

// leafRefusal is what invoke answers a leaf method, a message; the entry points read both.
var (
	leafRefusal       [128]byte
	leafRefusalLength uintptr //nolint:unused // read by entry_$GOARCH.s
)

// UseLeafStacks tells where leaf stacks lie: size bytes from low on. It is called once, before
// the first call on one of them.
func UseLeafStacks(low, size uintptr) {
	leafRefusalLength = uintptr(contract.WriteMessage(leafRefusal[:], "a leaf method cannot call its host"))
	leafLow, leafSize = low, size
}

// LeafCopy is the code that reads a line which a leaf method logs: a fault at an address from
// start on, below end, is one of its reading, which goes on at failed.
func LeafCopy() (start, end, failed uintptr) {
	return leafCopyStart, leafCopyStart + leafCopySize, leafCopyFailed
}

// Idle reports whether the call has left nothing to deliver.
func (p *LeafPage) Idle() bool { return p.used|p.lost|p.asked == 0 }

// Deliver carries out what a leaf method of the table's library has left in the page: lines of
// the log and wakes. It returns how often the method called its host, which it must not. label says
// which method it is.
func (t *Table) Deliver(p *LeafPage, label string) (asked int) {
	asked = int(p.asked)
	lost, notes := p.lost, p.notes[:min(p.used, leafNotes)]
	p.used, p.lost, p.asked = 0, 0, 0
	for len(notes) >= int(unsafe.Sizeof(leafNote{})) {
		n := *(*leafNote)(unsafe.Pointer(unsafe.SliceData(notes)))
		notes = notes[unsafe.Sizeof(n):]
		length := n.length
		if length == leafUnreadable {
			length = 0
		}
		if int(length) > len(notes) {
			break
		}
		n.deliver(string(notes[:length]))
		notes = notes[min((int(length)+7)&^7, len(notes)):]
	}
	if lost > 0 {
		defer recovered()
		t.say(abi.LogWarn, fmt.Sprintf("%d lines or wakes of the leaf method %s are lost: %d bytes of them are kept until it returns; it should say less, or be no leaf method", lost, label, leafNotes))
	}
	return asked
}

// recovered keeps a panic of the program's own functions from the call's caller, as enter does.
func recovered() {
	if r := recover(); r != nil {
		slog.Default().Error("panic in a function that a plugin called", "panic", r)
	}
}

func (n *leafNote) deliver(text string) {
	defer recovered()
	slot := n.number / kinds
	if slot >= slots {
		return
	}
	t := tables.bySlot[slot].Load()
	switch {
	case t == nil:
	case n.number%kinds == kindWake:
		t.wake(n.value)
	case n.length == leafUnreadable:
		t.say(abi.LogLevel(int32(uint32(n.value))), "(the plugin logged a message that is NULL or unreadable)")
	default:
		text = strings.ToValidUTF8(text, "\uFFFD")
		if n.value&leafCut != 0 {
			text += " …"
		}
		t.say(abi.LogLevel(int32(uint32(n.value))), text)
	}
}
