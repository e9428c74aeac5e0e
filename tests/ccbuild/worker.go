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
func Worker(t testing.TB) string {
	t.Helper()
	if !raceDetector {
		return ""
	}
	program := filepath.Join(t.TempDir(), "nyash-worker")
	build := exec.Command("go", "build", "-o", program, "./cmd/nyash-worker")
	build.Dir = Root(t)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}
