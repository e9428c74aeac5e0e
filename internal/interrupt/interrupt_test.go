//go:build unix

package interrupt_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/interrupt"
)

// TestGrace: a command that a signal does not end is ended as by the second one.
func TestGrace(t *testing.T) {
	const variable = "NYASH_TEST_STUCK"
	if text := os.Getenv(variable); text != "" {
		grace, err := time.ParseDuration(text)
		require.NoError(t, err)
		ctx, stop := interrupt.Context("stuck", grace)
		fmt.Println("ready")
		<-ctx.Done()
		if grace > time.Minute {
			stop() // it ends in time
			os.Exit(7)
		}
		select {}
	}
	for _, tt := range []struct {
		name   string
		grace  string
		signal syscall.Signal
		second bool
		status int // -1: by the signal
	}{
		{"stuck at SIGTERM", "50ms", syscall.SIGTERM, false, -1},
		{"stuck at SIGINT", "50ms", syscall.SIGINT, false, -1},
		{"stuck at SIGHUP", "50ms", syscall.SIGHUP, false, -1},
		{"a second signal", "59s", syscall.SIGTERM, true, -1},
		{"in time", "1h", syscall.SIGTERM, false, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestGrace$")
			cmd.Env = append(os.Environ(), variable+"="+tt.grace)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			errs, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			require.True(t, bufio.NewScanner(out).Scan())
			require.NoError(t, cmd.Process.Signal(tt.signal))
			lines := bufio.NewScanner(errs)
			require.True(t, lines.Scan())
			assert.Equal(t, "stuck: interrupted; once more ends it at once", lines.Text())
			if tt.second {
				require.NoError(t, cmd.Process.Signal(tt.signal))
			}
			if tt.grace == "50ms" {
				require.True(t, lines.Scan())
				assert.Equal(t, "stuck: it has not ended within 50ms, and is ended", lines.Text())
			}
			require.Error(t, cmd.Wait())
			assert.Equal(t, tt.status, cmd.ProcessState.ExitCode())
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); tt.status < 0 {
				assert.Equal(t, tt.signal, status.Signal())
			}
		})
	}
}
