//go:build unix

package main_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNoFiles: a pipe that nobody writes to is not waited for, and a device is not read without an end.
func TestNoFiles(t *testing.T) {
	c := newCommand(t)
	c.write(t, "loads.star", "load('pipe', 'x')\n")
	require.NoError(t, syscall.Mkfifo(filepath.Join(c.dir, "pipe"), 0o644))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a pipe as script":     {[]string{"run", "pipe"}, "run script: read pipe: a pipe that nothing was written to"},
		"a device as script":   {[]string{"run", "/dev/zero"}, "run script: /dev/zero: it is larger than 64 MiB"},
		"a pipe to load":       {[]string{"run", "loads.star"}, "read pipe: a pipe that nothing was written to"},
		"a pipe as argument":   {[]string{"call", "FileBox.writeAll", "@pipe"}, "read pipe: a pipe that nothing was written to"},
		"a device as argument": {[]string{"call", "FileBox.writeAll", "@/dev/zero"}, "/dev/zero: it is larger than 256 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, status := c.run(t, tt.args...)
			assert.NotZero(t, status)
			assert.Contains(t, stderr, tt.want)
		})
	}
}
