package probe

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMisuseAt(t *testing.T) {
	const (
		small = guardedFrom + 5*smallSlot
		large = largeFrom + 3*largeSlot
	)
	tests := map[string]struct {
		addr uint64
		want Misuse
		ok   bool
	}{
		"below":              {guardedFrom - 1, 0, false},
		"above":              {guardedFrom + guardedSize, 0, false},
		"NULL":               {0, 0, false},
		"a small block":      {small + smallSlot/2 - 16, UsedAfterFree, true},
		"behind a small one": {small + smallSlot/2, UsedBehind, true},
		"the end of a slot":  {small + smallSlot - 1, UsedBehind, true},
		"the next slot":      {small + smallSlot, UsedAfterFree, true},
		"a large block":      {large, UsedAfterFree, true},
		"behind a large one": {large + largeSlot/2, UsedBehind, true},
		"freed twice":        {misuseFrom, DoubleFree, true},
		"written behind":     {misuseFrom + misuseSize, WrittenBehind, true},
		"written in front":   {misuseFrom + 2*misuseSize, WrittenInFront, true},
		"freed inside":       {misuseFrom + 3*misuseSize, FreedInside, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := MisuseAt(tt.addr)
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.want, got)
		})
	}
}
