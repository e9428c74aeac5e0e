package registry_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
)

func TestTester(t *testing.T) {
	config, err := registry.Parse("nyash.toml", []byte(`[plugins.Cache]
library = "cache"
[plugins.Cache.tester]
birth = ["mem:a", -1, 2.5, true]
calls = { get = [["a"], ["b", 0x10]], size = [[]] }
`))
	require.NoError(t, err)
	tester := config.Boxes[0].Tester
	require.NotNil(t, tester)
	assert.Equal(t, []any{"mem:a", int64(-1), 2.5, true}, tester.Birth)
	require.Len(t, tester.Calls, 2)
	assert.Equal(t, "get", tester.Calls[0].Method)
	assert.Equal(t, [][]any{{"a"}, {"b", int64(16)}}, tester.Calls[0].Args)
	assert.Equal(t, [][]any{{}}, tester.Calls[1].Args)
	assert.Equal(t, 5, tester.Calls[1].Pos.Line)
}
