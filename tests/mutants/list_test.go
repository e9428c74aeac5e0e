package mutants

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestVerdicts looks whether what was judged is of mutants that are tried.
func TestVerdicts(t *testing.T) {
	listed := make(map[string]bool)
	for i := range plugins {
		p := &plugins[i]
		n := 0
		require.NoError(t, lines(p.name+".txt", func(id, _ string) error {
			listed[p.name+"/"+id] = true
			n++
			return nil
		}))
		if p.name != "mathbox" && p.name != "leaf" { // which have no more
			assert.GreaterOrEqual(t, n, 100, p.name)
		}
		verdicts, err := p.verdicts()
		require.NoError(t, err)
		for id, v := range verdicts {
			assert.Contains(t, []class{equivalent, noOracle}, v.class, id)
			assert.NotEmpty(t, v.reason, id)
		}
	}
	seen := make(map[string]bool)
	require.NoError(t, lines("equivalent.txt", func(id, _ string) error {
		assert.True(t, listed[id], id)
		assert.False(t, seen[id], "%s is judged twice", id)
		seen[id] = true
		return nil
	}))
}
