// Package memcheck runs plugins under valgrind, through the nyash command as it
// is: a Go program without cgo. tools/plugintest does so in its worker, for one
// plugin; here the host is under valgrind, too.
package memcheck

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/valgrind"
)

// memcheck runs a script with nyash under valgrind. It returns what the script
// printed, and the errors that have the library's code in a stack.
func memcheck(t *testing.T, config, script, library string) (out string, found []valgrind.Error) {
	t.Helper()
	require.True(t, valgrind.Installed(), "the tests need valgrind (see README.md); `make test` installs it")
	dir := t.TempDir()
	// A program of the test's own: another test may be building bin/nyash.
	nyash := filepath.Join(dir, "nyash")
	build := exec.Command("go", "build", "-o", nyash, "../../cmd/nyash")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)

	report := filepath.Join(dir, "report.xml")
	command := append(valgrind.Command(report), nyash, "--config", config, "run", script)
	run := exec.Command(command[0], command[1:]...)
	run.Dir = dir
	text, err = run.CombinedOutput()
	require.NoError(t, err, "the script failed under valgrind\n%s", text)
	found, err = valgrind.Read(report, library)
	require.NoError(t, err)
	return string(text), found
}

func leaked(errors []valgrind.Error) (bytes int) {
	for _, e := range errors {
		bytes += e.Leaked
	}
	return bytes
}

func TestFileBox_NoErrors(t *testing.T) {
	root := ccbuild.Root(t)
	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "plugins")
	config, err := registry.Load(filepath.Join(root, "nyash.toml"))
	require.NoError(t, err)
	library, err := config.Find(config.Libraries[0])
	require.NoError(t, err)
	script, err := filepath.Abs("filebox.star")
	require.NoError(t, err)
	out, found := memcheck(t, filepath.Join(root, "nyash.toml"), script, library)
	assert.Contains(t, out, "FileBox work done")
	assert.Empty(t, found)
}

// TestRefused_NoErrors: memory that is asked for and refused is no error, whatever the size.
func TestRefused_NoErrors(t *testing.T) {
	dir := t.TempDir()
	library := ccbuild.Library(t, "testdata/refused.c")
	config := filepath.Join(dir, "nyash.toml")
	script := filepath.Join(dir, "refused.star")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "[plugins.Refused]\nlibrary = %q\nmethods = { ask = { method_id = 1 } }\n", library), 0o644))
	require.NoError(t, os.WriteFile(script, []byte("print(catch(Refused().ask))\n"), 0o644))
	out, found := memcheck(t, config, script, library)
	assert.Contains(t, out, "out of memory (-6)")
	assert.Empty(t, found)
}

// TestLeaky_LeakAndWriteFound shows that TestFileBox_NoErrors can fail.
func TestLeaky_LeakAndWriteFound(t *testing.T) {
	dir := t.TempDir()
	library := ccbuild.Library(t, "testdata/leaky.c")
	config := filepath.Join(dir, "nyash.toml")
	script := filepath.Join(dir, "leaky.star")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "[plugins.Leaky]\nlibrary = %q\nmethods = { poke = { method_id = 1 } }\n", library), 0o644))
	require.NoError(t, os.WriteFile(script, []byte("Leaky().poke()\n"), 0o644))
	_, found := memcheck(t, config, script, library)
	require.Len(t, found, 2)
	assert.Equal(t, 77, leaked(found))
	for _, kind := range []string{"InvalidWrite", "Leak_DefinitelyLost"} {
		i := 0
		for i < len(found) && found[i].Kind != kind {
			i++
		}
		require.Less(t, i, len(found), "%s in %+v", kind, found)
		assert.True(t, strings.HasSuffix(found[i].Frames[0].File, "leaky.c"), "%+v", found[i])
	}
}
