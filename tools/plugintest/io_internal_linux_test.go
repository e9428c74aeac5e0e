package plugintest

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStartShown(t *testing.T) {
	for _, size := range shownSizes {
		path, end, err := startShown(size)
		require.NoError(t, err)
		data, err := contentAt(path)
		require.NoError(t, err)
		again, err := contentAt(path)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		end()
		assert.Len(t, data, size)
		assert.True(t, bytes.Equal(data, again))
		assert.Zero(t, info.Size())
	}
}
