package badplugins

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

func TestLog_AnyTime(t *testing.T) {
	path := ccbuild.Library(t, "testdata/logs_everywhere.c")
	log := hosttest.NewLog()
	var wakes []uint64
	h := host(t, path, methods, log.Option(),
		loader.WithWake(func(plugin string, handle uint64) {
			assert.Equal(t, "Fault", plugin)
			wakes = append(wakes, handle)
		}))
	hosttest.Call(t, hosttest.New(t, h, "Fault"), "run")
	unhurt(t, h, path)
	require.NoError(t, h.Close())

	want := []string{"in init", "in a call", "in shutdown", "from a thread after shutdown"}
	hosttest.Eventually(func() bool { return len(log.Messages()) >= len(want) })
	assert.Equal(t, want, log.Messages())
	for _, line := range log.Records() {
		assert.Equal(t, slog.LevelInfo, line.Level, line.Message)
		assert.Equal(t, "Fault", line.Attrs["plugin"].String(), line.Message)
		assert.NotContains(t, line.Attrs, "plugin_uncertain", line.Message)
	}
	assert.Equal(t, []uint64{6}, wakes, "a closed host is woken no more")
}
