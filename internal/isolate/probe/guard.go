package probe

// In a worker with [wire.Load.Guard] each block that a library takes with malloc ends in front
// of memory that cannot be touched, and what it frees cannot be touched any more: a use after
// free, and one past the end, is a fault at its own place. The blocks are at addresses that no
// other memory has, so that the host tells from a fault's address what it means.
//
// A slot of either size has room for one block in its first half, which ends where the second
// begins, and the second half cannot be touched.
const (
	guardedFrom = 0x6d00_0000_0000
	smallSlot   = 8 << 10
	smallSlots  = 1 << 16
	largeFrom   = guardedFrom + smallSlot*smallSlots
	largeSlot   = 2 << 20
	largeSlots  = 1 << 11
	// misuseFrom is an address for each kind of misuse that shows in a call of free; nothing is there.
	misuseFrom  = largeFrom + largeSlot*largeSlots
	misuseSize  = 4 << 10
	guardedSize = misuseFrom + misuseSize*4 - guardedFrom
)

// Misuse is what a fault in guarded memory means.
type Misuse uint8

// What a library does wrong with memory of malloc.
const (
	DoubleFree     Misuse = iota // found in free
	WrittenBehind                // found in free: the few bytes up to the next boundary are no more as they were
	WrittenInFront               // the same of those in front of the block
	FreedInside                  // found in free: an address in the middle of a block
	UsedAfterFree
	UsedBehind // what follows the block
)

// MisuseAt tells what a fault at an address means; false where that is not in guarded memory.
func MisuseAt(addr uint64) (m Misuse, ok bool) {
	switch {
	case addr < guardedFrom || addr >= guardedFrom+guardedSize:
		return 0, false
	case addr >= misuseFrom:
		return Misuse((addr - misuseFrom) / misuseSize), true
	}
	slot := uint64(smallSlot)
	if addr >= largeFrom {
		slot = largeSlot
	}
	if addr%slot < slot/2 {
		return UsedAfterFree, true
	}
	return UsedBehind, true
}
