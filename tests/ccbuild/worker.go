package ccbuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Worker is the program that is to run plugins whose memory is measured: empty,
// for the test's own, unless that is built with the race detector, which takes
// memory with every call.
func Worker(t testing.TB) string { return program(t, "nyash-worker") }

// TestersWorker is Worker for plugin-tester, whose workers have hooks.
func TestersWorker(t testing.TB) string { return program(t, "plugin-tester") }

func program(t testing.TB, name string) string {
	t.Helper()
	if !raceDetector {
		return ""
	}
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", path, "./cmd/"+name)
	build.Dir = Root(t)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}
