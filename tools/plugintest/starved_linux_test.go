package plugintest

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSchedule_IsStarved(t *testing.T) {
	const loop = "while :; do :; done"
	start := func(args ...string) (pid int) {
		cmd := exec.Command("taskset", append([]string{"-c", "0"}, args...)...)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd.Process.Pid
	}
	starved := func(pid int) func() bool {
		return func() bool {
			before := scheduleOf(pid)
			const in = 200 * time.Millisecond
			<-time.After(in)
			return scheduleOf(pid).isStarved(before, in)
		}
	}
	sleeps, busy, last := start("sleep", "60"), start("sh", "-c", loop), start("chrt", "-i", "0", "sh", "-c", loop)
	assert.Eventually(t, starved(last), 10*time.Second, time.Millisecond, "it runs only where nothing else would")
	assert.False(t, starved(sleeps)())
	assert.False(t, starved(busy)())
}
