package calls

import "sync/atomic"

// Budget bounds how many bytes of one kind there are at once.
type Budget struct {
	most  int64
	taken atomic.Int64
}

// NewBudget makes a budget of so many bytes.
func NewBudget(most int64) *Budget { return &Budget{most: most} }

// Most is how many bytes there may be.
func (b *Budget) Most() int64 { return b.most }

// Take takes n bytes, which are to be given back, or returns false where they would be too
// many. Where there are no others it never does: what may be that large by itself has a
// limit of its own.
func (b *Budget) Take(n int) bool {
	if taken := b.taken.Add(int64(n)); taken > b.most && taken != int64(n) {
		b.taken.Add(int64(-n))
		return false
	}
	return true
}

// Give gives n bytes back.
func (b *Budget) Give(n int) { b.taken.Add(int64(-n)) }
