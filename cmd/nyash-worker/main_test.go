package main_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestWorker_Help: a person who starts the worker is told what it is for.
func TestWorker_Help(t *testing.T) {
	program := filepath.Join(t.TempDir(), "nyash-worker")
	ccbuild.Run(t, "go", "build", "-o", program, ".")
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--help"}, 0, `isolation = "process"`},
		{[]string{"--version"}, 0, "plugin ABI 1"},
		{nil, 2, "by itself it does nothing"},
		{[]string{"x"}, 2, "by itself it does nothing"},
	} {
		cmd := exec.Command(program, tt.args...)
		out, err := cmd.CombinedOutput()
		require.Equal(t, tt.status, cmd.ProcessState.ExitCode(), "%v: %v", tt.args, err)
		assert.Contains(t, string(out), tt.want)
	}
}
