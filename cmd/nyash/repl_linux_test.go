package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// localModes gives the flags of the terminal's mode that say how keys are read.
func (s *session) localModes(t *testing.T) uint32 {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return mode.Lflag
}

// TestREPL_CrashAtTab: completion loads a library, and one that crashes leaves the terminal as it was.
func TestREPL_CrashAtTab(t *testing.T) {
	c := newCommand(t)
	library := ccbuild.Source(t, "aborts", strings.Replace(hangs, "host = h;", "host = h; __builtin_trap();", 1))
	c.write(t, "aborts.toml", "[plugins.Aborts]\nlibrary = \""+library+"\"\n")
	s := c.terminal(t, nil, "--config", "aborts.toml", "repl")
	s.shows(t, prompt)
	editing := s.localModes(t)
	s.press(t, "Aborts("+tab)
	s.shows(t, "SIGILL")
	assert.NotZero(t, s.ends(t))
	assert.Zero(t, editing&(unix.ECHO|unix.ICANON), "the test would see no difference")
	assert.Equal(t, uint32(unix.ECHO|unix.ICANON), s.localModes(t)&(unix.ECHO|unix.ICANON))
}
