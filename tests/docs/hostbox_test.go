package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestHostGuide_HostFunctions: the program of the section is the one that the section
// quotes, and prints what it says.
func TestHostGuide_HostFunctions(t *testing.T) {
	root := ccbuild.Root(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "host-guide.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Host functions\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	program, err := os.ReadFile(filepath.Join(root, "docs", "examples", "hostbox", "main.go"))
	require.NoError(t, err)
	quoted := 0
	for _, m := range fenced.FindAllStringSubmatch(section, -1) {
		switch m[1] {
		case "go":
			assert.Contains(t, string(program), m[2])
			quoted++
		case "text":
			run := exec.Command("go", "run", "./docs/examples/hostbox")
			run.Dir = root
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Equal(t, m[2], string(out))
			quoted++
		}
	}
	assert.Equal(t, 4, quoted)
}
