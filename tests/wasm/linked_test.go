package wasm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestNotLinked: a program without the engine says which package it lacks, and where nyash.toml
// needs it.
func TestNotLinked(t *testing.T) {
	dir := filepath.Join(ccbuild.Root(t), "tests", "wasm", "testdata", "notlinked")
	config := filepath.Join(t.TempDir(), "nyash.toml")
	require.NoError(t, os.WriteFile(config, []byte(toml(moduleFile(t), "")), 0o644))
	cmd := exec.Command("go", "run", ".", config)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "nyash.toml:1:")
	assert.Contains(t, string(out), `this program cannot run WebAssembly modules; fix: import _ "github.com/nyash-plugins/nyash-go/loader/wasm"`)
}
