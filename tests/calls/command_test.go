package calls

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestCommand_OwnThread: in nyash-worker, as in a program that is its own worker, a thread of the
// plugin's own is answered.
func TestCommand_OwnThread(t *testing.T) {
	command := ccbuild.Built(t, "nyash-worker")
	for name, channel := range map[string]loader.Channel{"memory": loader.ChannelAuto, "pipe": loader.ChannelPipe} {
		t.Run(name, func(t *testing.T) {
			_, box, _ := openAdder(t, `isolation = "process"`, loader.WithWorker(command), loader.WithWorkerChannel(channel))
			_, err := box.Call(t.Context(), "hold", 0, "GoBox")
			require.NoError(t, err)
			_, err = loader.Call[int64](t.Context(), box, "asleep", 0, 5, "add", 2, 3)
			require.NoError(t, err)
			hosttest.CallInt(t, box, "median", 0, 5, "add", 2, 3)
		})
	}
}
