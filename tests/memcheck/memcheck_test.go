// Package memcheck runs plugins under valgrind, through the nyash command as it
// is: a Go program without cgo.
package memcheck

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

func build(t *testing.T) {
	t.Helper()
	ccbuild.Run(t, "valgrind", "--version")
	ccbuild.Run(t, "make", "--no-print-directory", "-C", ccbuild.Root(t), "plugins")
	// A program of the test's own: another test may be building bin/nyash.
	nyash := filepath.Join(t.TempDir(), "nyash")
	cmd := exec.Command("go", "build", "-o", nyash, "../../cmd/nyash")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("NYASH", nyash)
}

func TestFileBoxIsClean(t *testing.T) {
	build(t)
	out := ccbuild.Run(t, "bash", "run.sh")
	assert.Contains(t, out, "FileBox work done")
	assert.Contains(t, out, "memcheck: libnyash_filebox_plugin: 0 bytes definitely lost, 0 errors")
}

// TestFaultsAreFound shows that the clean report above could be another.
func TestFaultsAreFound(t *testing.T) {
	build(t)
	dir := t.TempDir()
	library := ccbuild.Library(t, "testdata/leaky.c")
	config := filepath.Join(dir, "nyash.toml")
	script := filepath.Join(dir, "leaky.star")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "[plugins.Leaky]\nlibrary = %q\nmethods = { poke = { method_id = 1 } }\n", library), 0o644))
	require.NoError(t, os.WriteFile(script, []byte("Leaky().poke()\n"), 0o644))
	out, err := exec.Command("bash", "run.sh", config, script, "libleaky").CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	assert.Contains(t, string(out), "77 bytes definitely lost, 2 errors")
	assert.Contains(t, string(out), "leaky.c")
	assert.Contains(t, string(out), "InvalidWrite")
}
