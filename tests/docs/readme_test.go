package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestReadme_Module makes a module of the program and the nyash.toml that the README
// shows, and runs it.
func TestReadme_Module(t *testing.T) {
	root, dir := ccbuild.Root(t), t.TempDir()
	readme := filepath.Join(root, "README.md")
	write := func(name string, text []byte) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	program, config := blocks(t, readme, "go"), blocks(t, readme, "toml")
	require.Len(t, program, 1)
	require.Len(t, config, 1)
	write("main.go", []byte(program[0]))
	write("nyash.toml", []byte(config[0]))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		write(name, text)
	}
	const module = "github.com/nyash-plugins/nyash-go"
	ccbuild.Run(t, "go", "mod", "edit", "-module=example.org/program", "-require="+module+"@v0.0.0", "-replace="+module+"="+root, filepath.Join(dir, "go.mod"))

	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "plugins")
	libraries, err := filepath.Glob(filepath.Join(root, "plugins", "filebox", "build", "libnyash_filebox_plugin.*"))
	require.NoError(t, err)
	require.NotEmpty(t, libraries)
	for _, library := range libraries {
		data, err := os.ReadFile(library)
		require.NoError(t, err)
		write(filepath.Join("plugins", filepath.Base(library)), data)
	}

	run := exec.Command("go", "run", ".")
	run.Dir = dir
	run.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod")
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "wrote 5 bytes, read back \"Hello\"\n", string(out))
}
