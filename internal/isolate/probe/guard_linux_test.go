//go:build amd64 || arm64

package probe

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A block ends at the end of its memory as far as what is in it may be aligned by its size.
func TestBlockStart(t *testing.T) {
	const end = guardedFrom + smallSlot/2
	tests := map[string]struct{ size, behind uintptr }{
		"nothing":                {0, 0},
		"a byte":                 {1, 0},
		"three bytes":            {3, 0},
		"a number of 32 bits":    {4, 0},
		"six bytes":              {6, 0},
		"a number of 64 bits":    {8, 0},
		"a text of 13 bytes":     {13, 3},
		"24 bytes":               {24, 0},
		"a vector":               {32, 0},
		"a structure and a text": {41, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			start := blockStart(end, tt.size)
			assert.Equal(t, tt.behind, end-start-tt.size)
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
