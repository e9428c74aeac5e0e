//go:build amd64 || arm64

package probe

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A block ends at the end of its memory, as far as it is to be aligned.
func TestBlockStart(t *testing.T) {
	const end = guardedFrom + smallSlot/2
	tests := map[string]struct{ size, behind uintptr }{
		"nothing":            {0, 0},
		"a byte":             {1, 15},
		"a text of 13 bytes": {13, 3},
		"a block's unit":     {16, 0},
		"24 bytes":           {24, 8},
		"a vector":           {32, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			aligned, exact := guarded{}, guarded{exact: true}
			assert.Equal(t, tt.behind, end-aligned.blockStart(end, tt.size)-tt.size)
			assert.Zero(t, aligned.blockStart(end, tt.size)%alignment)
			assert.Equal(t, end-tt.size, exact.blockStart(end, tt.size))
		})
	}
}

func TestSlots(t *testing.T) {
	s := slots{from: guardedFrom, size: smallSlot, inUse: make([]bool, 8)}
	for i := range uintptr(5) {
		at, ok := s.take()
		assert.True(t, ok)
		assert.Equal(t, guardedFrom+i*smallSlot, at)
	}
	_, ok := s.take()
	assert.False(t, ok, "half of the slots stay free, for what was freed to stay forbidden")
	s.give(guardedFrom)
	at, ok := s.take()
	assert.True(t, ok)
	assert.Equal(t, uintptr(guardedFrom+5*smallSlot), at, "the slot that was freed comes last")
}
