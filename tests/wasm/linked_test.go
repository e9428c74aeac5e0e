package wasm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestNotLinked: a program without the engine says which package it lacks, and where nyash.toml
// needs it; so does a worker.
func TestNotLinked(t *testing.T) {
	const lacks = `this program cannot run WebAssembly modules; fix: import _ "github.com/nyash-plugins/nyash-go/loader/wasm", and go mod tidy`
	program := filepath.Join(t.TempDir(), "notlinked.exe")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join(ccbuild.Root(t), "tests", "wasm", "testdata", "notlinked")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, keys := range map[string]string{"in process": "", "isolated": `isolation = "process"`} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(program, hosttest.File(t, toml(moduleFile(t), keys))).CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "nyash.toml:1:")
			assert.Contains(t, string(out), lacks)
		})
	}
	t.Run("worker", func(t *testing.T) {
		h := open(t, `isolation = "process"`, loader.WithWorker(program))
		err := h.Load(t.Context(), "Module")
		require.ErrorIs(t, err, loader.ErrNotLinked)
		require.ErrorIs(t, err, loader.ErrWorker)
		assert.ErrorContains(t, err, lacks)
	})
}
