package registry

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
)

// TestHostileNames binds as many methods as a library may describe, under names
// that only the middle tells apart, and counts the places that finding each of
// them looks at.
func TestHostileNames(t *testing.T) {
	const count = 65536
	d := abi.Description{TypeID: 1, TypeName: "Box"}
	for i := range count {
		// The same length, first, middle and last byte, and then some.
		d.Methods = append(d.Methods, abi.Method{ID: uint32(i) + 1, Name: fmt.Sprintf("method_%04x_middle_%04x_end", i>>8, i&0xff)})
	}
	c, err := Parse("nyash.toml", []byte("[plugins]\nBox = \"x\""))
	require.NoError(t, err)
	b, ok := c.Box("Box")
	require.True(t, ok)
	typ, err := b.Bind(d)
	require.NoError(t, err)
	require.Len(t, typ.methods, count)

	free, all, most := 0, 0, 0
	for _, p := range typ.table {
		if p == nil {
			free++
		}
	}
	assert.GreaterOrEqual(t, free, len(typ.table)/2)
	for _, p := range typ.methods {
		found, err := typ.Method(p.Name)
		require.NoError(t, err)
		require.Same(t, p, found)
		looked := 1
		for i := place(p.Name); typ.table[i&(len(typ.table)-1)] != p; i++ {
			looked++
		}
		all, most = all+looked, max(most, looked)
	}
	// Of a table that is half full, 1.5 places are looked at on average, and more
	// than 256 with a probability of 1 in 10^15.
	assert.Less(t, all, 2*count)
	assert.LessOrEqual(t, most, 256)
	_, err = typ.Method("method_0000_middle_0000_End")
	require.ErrorIs(t, err, ErrNoMethod)
	assert.ErrorContains(t, err, "did you mean method_0000_middle_0000_end?")
}
