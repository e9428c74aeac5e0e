package main

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/interrupt"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestCommand_DiskFull: text that cannot be written is an error, whichever command it is of.
func TestCommand_DiskFull(t *testing.T) {
	library, worker := build(t, "good"), ""
	if program := ccbuild.TestersWorker(t); program != "" {
		worker = " --worker " + program
	}
	for _, args := range []string{
		"explain", "explain leak", "explain leak --json", "tlv-debug 5", "tlv-debug 5 --json",
		"tlv-debug --method add " + library + " 5" + worker, "check " + library + worker,
	} {
		t.Run(args, func(t *testing.T) {
			full, out := io.Pipe()
			require.NoError(t, full.CloseWithError(syscall.ENOSPC))
			root := newRoot()
			root.SetOut(out)
			root.SetArgs(strings.Fields(args))
			require.ErrorIs(t, command.Execute(t.Context(), root), syscall.ENOSPC)
		})
	}
}

// closedPipe takes some writes, as a pipe does whose reader has ended then.
type closedPipe struct{ left int }

func (p *closedPipe) Write(data []byte) (int, error) {
	if p.left--; p.left < 0 {
		return 0, syscall.EPIPE
	}
	return len(data), nil
}

// TestCommand_NobodyReads: the run ends with the first line that cannot be written, and leaves nothing
// behind.
func TestCommand_NobodyReads(t *testing.T) {
	library := build(t, "good")
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	ctx, stop := interrupt.Context("plugin-tester", interrupt.Grace)
	defer stop()
	root := newRoot()
	root.SetOut(&closedPipe{left: 1})
	root.SetArgs([]string{"all", "--no-memcheck", "--for", "1s", library})
	err := command.Execute(ctx, root)
	require.ErrorIs(t, err, syscall.EPIPE)
	assert.ErrorContains(t, err, "cannot write the report")
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, left)
}
