package plan

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/sig"
)

func tableOf(names ...string) ([]*Plan, Table) {
	plans := make([]*Plan, len(names))
	for i, name := range names {
		plans[i] = New("Box", name, uint32(i)+1, sig.Signature{})
	}
	return plans, NewTable(plans)
}

func TestTable_HostileNames(t *testing.T) {
	const count = 65536
	names := make([]string, count)
	for i := range names {
		// The same length, first, middle and last byte, and then some.
		names[i] = fmt.Sprintf("method_%04x_middle_%04x_end", i>>8, i&0xff)
	}
	plans, table := tableOf(names...)

	free, all, most := 0, 0, 0
	for _, p := range table.places {
		if p == nil {
			free++
		}
	}
	assert.GreaterOrEqual(t, free, len(table.places)/2)
	for _, p := range plans {
		require.Same(t, p, table.Find(p.Name))
		looked := 1
		for i := place(p.Name); table.places[i&(len(table.places)-1)] != p; i++ {
			looked++
		}
		all, most = all+looked, max(most, looked)
	}
	// Of a table that is half full, 1.5 places are looked at on average, and more
	// than 256 with a probability of 1 in 10^15.
	assert.Less(t, all, 2*count)
	assert.LessOrEqual(t, most, 256)
	assert.Nil(t, table.Find("method_0000_middle_0000_End"))
}

func TestTable_Empty(t *testing.T) {
	_, table := tableOf()
	assert.Nil(t, table.Find("x"))
	assert.Nil(t, new(Table).Find("x"))
}

func BenchmarkTable(b *testing.B) {
	plans, table := tableOf("open", "read", "write", "close", "readAll", "writeAll", "seek", "copyFrom", "setCompressionLevel")
	byName := make(map[string]*Plan)
	for _, p := range plans {
		byName[p.Name] = p
	}
	for _, name := range []string{"read", "setCompressionLevel"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if table.Find(name) == nil {
					b.Fatal()
				}
			}
		})
		b.Run(name+" map", func(b *testing.B) {
			for b.Loop() {
				if byName[name] == nil {
					b.Fatal()
				}
			}
		})
	}
}
