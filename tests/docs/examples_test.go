package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestHostGuide_Analyze runs docs/examples/analyze.star with the plugins in one process,
// and each in its own, reached in either way. It prints what the page shows.
func TestHostGuide_Analyze(t *testing.T) {
	root := ccbuild.Root(t)
	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "plugins", "build")
	shown := blocks(t, filepath.Join(root, "docs", "host-guide.md"), "text")
	for name, flags := range map[string][]string{
		"one process": nil,
		"memory":      {"--isolation", "process", "--channel", "memory"},
		"pipe":        {"--isolation", "process", "--channel", "pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			run := exec.Command(filepath.Join(root, "bin", "nyash"), append(flags, "--config", filepath.Join(root, "nyash.toml"),
				"run", filepath.Join(root, "docs", "examples", "analyze.star"))...)
			run.Dir = t.TempDir()
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.True(t, slices.Contains(shown, string(out)), "docs/host-guide.md does not show:\n%s", out)
			log, err := os.ReadFile(filepath.Join(run.Dir, "analyze.log"))
			require.NoError(t, err)
			assert.Contains(t, string(log), "no space left")
		})
	}
}
