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
func Worker(t testing.TB) string { return ifRaced(t, "nyash-worker") }

// TestersWorker is Worker for plugin-tester, whose workers have hooks.
func TestersWorker(t testing.TB) string { return ifRaced(t, "plugin-tester") }

func ifRaced(t testing.TB, name string) string {
	t.Helper()
	if !raceDetector {
		return ""
	}
	return Built(t, name)
}

// Built builds a command of cmd/ and returns its file.
func Built(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-ldflags=-w", "-o", path, "./cmd/"+name)
	build.Dir = Root(t)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}
