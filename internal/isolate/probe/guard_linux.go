//go:build amd64 || arm64

package probe

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// Guards tells whether workers on this system can guard what a library takes with malloc.
const Guards = true

const (
	// maxGuarded is how many blocks are guarded at a time: each is two mappings, of which a
	// process has some 65,000. Further blocks are malloc's.
	maxGuarded = 6000
	// maxSpent is how much memory is guarded in all, in bytes: a plugin that takes and frees without end
	// would take minutes for what takes malloc milliseconds.
	maxSpent = 256 << 20
	// fresh is what blocks hold before they are written, as MALLOC_PERTURB_ has it in workers whose
	// memory is not guarded. Around them is [wire.Filler].
	fresh = 0x5a
)

// guarded is the memory of a library whose blocks are guarded. Its functions are the library's
// malloc and so on, and are called by any of its threads.
type guarded struct {
	mu     sync.Mutex
	blocks map[uintptr]uintptr // live ones: address and size
	spent  uintptr             // of maxSpent
	small  slots
	large  slots
	system struct{ malloc, calloc, realloc, free uintptr }
	exact  bool // see [wire.GuardExact]
}

// slots are used one after another, so that what was freed stays forbidden for long.
type slots struct {
	from, size uintptr
	inUse      []bool
	next       int
	used       int
}

func (s *slots) take() (at uintptr, ok bool) {
	if s.used > len(s.inUse)/2 {
		return 0, false
	}
	for s.inUse[s.next] {
		s.next = (s.next + 1) % len(s.inUse)
	}
	s.inUse[s.next] = true
	at = s.from + uintptr(s.next)*s.size
	s.next = (s.next + 1) % len(s.inUse)
	s.used++
	return at, true
}

// index is the slot that an address is in.
func (s *slots) index(at uintptr) uintptr { return (at - s.from) / s.size }

// end is where a slot's block ends.
func (s *slots) end(at uintptr) uintptr { return s.from + s.index(at)*s.size + s.size/2 }

// give gives a slot back.
func (s *slots) give(at uintptr) {
	s.inUse[s.index(at)] = false
	s.used--
}

// guard opens a library, and guards what it takes with malloc from then on. Where that cannot be
// done its memory is ordinary.
func guard(file string, exact bool) {
	imports, err := importsOf(file, func(name string) bool { return slices.Contains(guardedFunctions, name) })
	if err != nil {
		return
	}
	const noReplace = 0x10_0000 // MAP_FIXED_NOREPLACE
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, guardedFrom, guardedSize, unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE|noReplace, ^uintptr(0), 0)
	if errno != 0 || addr != guardedFrom {
		return
	}
	g := &guarded{
		exact:  exact,
		blocks: make(map[uintptr]uintptr),
		small:  slots{from: guardedFrom, size: smallSlot, inUse: make([]bool, smallSlots)},
		large:  slots{from: largeFrom, size: largeSlot, inUse: make([]bool, largeSlots)},
	}
	own := []any{g.malloc, g.calloc, g.realloc, g.reallocArray, g.free}
	system := []*uintptr{&g.system.malloc, &g.system.calloc, &g.system.realloc, nil, &g.system.free}
	targets := make(map[uint64]uint64)
	for i, name := range guardedFunctions {
		if system[i] != nil {
			*system[i] = native.System(name)
		}
		callback := uint64(native.CallbackFor(own[i]))
		for _, slot := range imports[name] {
			targets[slot] = callback
		}
	}
	_ = redirect(targets)
}

// guardedFunctions are those that are replaced.
var guardedFunctions = []string{"malloc", "calloc", "realloc", "reallocarray", "free"}

// take is a new block; 0 where it is to be malloc's.
func (g *guarded) take(size uintptr, zero bool) uintptr {
	from := &g.small
	if size > smallSlot/2-headSize {
		from = &g.large
	}
	if size > largeSlot/2-headSize {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.blocks) >= maxGuarded || g.spent > maxSpent {
		return 0
	}
	slot, ok := from.take()
	if !ok {
		return 0
	}
	end := from.end(slot)
	start := g.blockStart(end, size)
	pages := g.pages(start, end)
	if unix.Mprotect(pages, unix.PROT_READ|unix.PROT_WRITE) != nil {
		from.give(slot)
		return 0
	}
	g.spent += uintptr(len(pages))
	front, block, behind := parts(pages, start, size)
	fill(front, wire.Filler)
	fill(behind, wire.Filler)
	copy(front[len(front)-headSize:], head[:])
	if !zero { // the system's are 0
		fill(block, fresh)
	}
	g.blocks[start] = size
	return start
}

// pages are those of a block, with what is in front of it.
func (g *guarded) pages(start, end uintptr) []byte {
	page := uintptr(unix.Getpagesize())
	first := (start - headSize) &^ (page - 1)
	return cmem.Memory(first, int(end-first))
}

// parts are what stands in front of a block, the block, and what stands behind it.
func parts(pages []byte, start, size uintptr) (front, block, behind []byte) {
	at := start - uintptr(cmem.Address(pages))
	return pages[:at], pages[at : at+size], pages[at+size:]
}

// headSize is the size of what stands directly in front of a block, in bytes, and head what it is: as
// glibc has it in front of its own blocks, so that glibc's free, which other libraries may call for a
// block, ends the process with a message (SIGABRT): a block of its own mapping whose size is no number
// of pages.
const headSize = 16

var head = func() (h [headSize]byte) {
	const mapped = 2
	binary.LittleEndian.PutUint64(h[:], 0x33)
	binary.LittleEndian.PutUint64(h[8:], 0x7770|mapped)
	return h
}()

// blockStart is where a block begins that ends in front of end, or as near to it as malloc's alignment
// allows.
func (g *guarded) blockStart(end, size uintptr) uintptr {
	if g.exact {
		return end - size
	}
	return (end - size) &^ (alignment - 1)
}

func (g *guarded) malloc(size uintptr) uintptr {
	if at := g.take(size, false); at != 0 {
		return at
	}
	return native.CallSystem(g.system.malloc, size)
}

func (g *guarded) calloc(n, size uintptr) uintptr {
	if high, low := bits.Mul64(uint64(n), uint64(size)); high == 0 {
		if at := g.take(uintptr(low), true); at != 0 {
			return at
		}
	}
	return native.CallSystem(g.system.calloc, n, size)
}

func (g *guarded) reallocArray(at, n, size uintptr) uintptr {
	high, low := bits.Mul64(uint64(n), uint64(size))
	if high != 0 {
		low = ^uint64(0) // more than there is
	}
	return g.realloc(at, uintptr(low))
}

func (g *guarded) realloc(at, size uintptr) uintptr {
	if at == 0 {
		return g.malloc(size)
	}
	g.mu.Lock()
	old, own := g.blocks[at]
	g.mu.Unlock()
	if !own && !isGuarded(at) {
		return native.CallSystem(g.system.realloc, at, size)
	}
	if size == 0 || !own {
		g.free(at)
		return 0
	}
	again := g.malloc(size)
	if again == 0 {
		return 0
	}
	copy(cmem.Memory(again, int(min(old, size))), cmem.Memory(at, int(min(old, size))))
	g.free(at)
	return again
}

func isGuarded(at uintptr) bool { return at >= guardedFrom && at < misuseFrom }

// free forbids a block. Misuse ends the process with a fault whose address says what it was.
func (g *guarded) free(at uintptr) uintptr {
	if !isGuarded(at) {
		if at != 0 {
			native.CallSystem(g.system.free, at)
		}
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	size, own := g.blocks[at]
	from := &g.small
	if at >= largeFrom {
		from = &g.large
	}
	end := from.end(at)
	switch {
	case !own && from.inUse[from.index(at)]:
		misused(FreedInside)
	case !own:
		misused(DoubleFree)
	}
	pages := g.pages(at, end)
	front, _, behind := parts(pages, at, size)
	switch inner := len(front) - headSize; {
	case !filled(behind):
		misused(WrittenBehind)
	case !filled(front[:inner]) || [headSize]byte(front[inner:]) != head:
		misused(WrittenInFront)
	}
	delete(g.blocks, at)
	from.give(at)
	_ = unix.Mprotect(pages, unix.PROT_NONE)
	_ = unix.Madvise(pages, unix.MADV_DONTNEED)
	return 0
}

// misused ends the process.
func misused(m Misuse) {
	*(*byte)(cmem.Pointer(misuseFrom + uintptr(m)*misuseSize)) = 0
}
