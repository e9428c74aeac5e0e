package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEnvironment(t *testing.T) {
	kind, first, second, err := ParseEnvironment(Environment(KindPipe, 3, 4)[len(EnvVersion)+1:])
	require.NoError(t, err)
	assert.Equal(t, []any{KindPipe, uintptr(3), uintptr(4)}, []any{kind, first, second})

	for value, text := range map[string]string{
		"":              "its host version :",
		"99 pipe 3 4":   "its host version 99: install the two of one release",
		"7":             `NYASH_WORKER="7" is not what a host says`,
		"7 telepathy 3": "is not what a host says",
		"7 pipe 3 -4":   "names no descriptors",
	} {
		_, _, _, err := ParseEnvironment(value)
		require.ErrorContains(t, err, text, value)
	}
}
