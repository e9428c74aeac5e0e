package main_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOutputFull: what a script prints and cannot be written is an error.
func TestOutputFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	c := newCommand(t)
	for name, tt := range map[string]struct {
		args  []string
		input string
	}{
		"run":     {[]string{"run", "-e", "print(1)"}, ""},
		"session": {[]string{"repl"}, "print(1)\n"},
		"value":   {[]string{"repl"}, "1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			cmd := exec.Command(c.bin, tt.args...)
			cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, strings.NewReader(tt.input), full, &stderr
			require.Error(t, cmd.Run())
			assert.Equal(t, 1, cmd.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), "cannot write the output: write /dev/stdout: no space left on device")
		})
	}
}
