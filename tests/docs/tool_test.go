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

// TestGeneratePage_Tool does in a module of its own what the page says of go generate.
func TestGeneratePage_Tool(t *testing.T) {
	root, dir := ccbuild.Root(t), t.TempDir()
	page := filepath.Join(root, "docs", "generate.md")
	line := func(language, start string) string {
		for _, block := range blocks(t, page, language) {
			if strings.HasPrefix(block, start) {
				return strings.TrimSpace(block)
			}
		}
		require.Fail(t, "not in the page", start)
		return ""
	}
	get, directive := line("text", "go get -tool "), line("go", "//go:generate ")

	const module = "github.com/nyash-plugins/nyash-go"
	sums, err := os.ReadFile(filepath.Join(root, "go.sum")) // go get would ask the network for them
	require.NoError(t, err)
	write(t, dir, "go.sum", string(sums))
	write(t, dir, "go.mod", "module example.org/program\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")
	write(t, dir, "nyash.toml", "[plugins.Gone]\nlibrary = \"gone\"\ntype_id = 9\n[plugins.Gone.methods]\nget = { method_id = 1, args = [], returns = \"i64\" }\n")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "boxes"), 0o755))
	write(t, filepath.Join(dir, "boxes"), "doc.go", "// Package typed has boxes.\npackage typed\n\n"+directive+"\n")

	run := func(flags string, args ...string) {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS="+flags)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("-mod=mod", "go", "list", "-m", "all") // a new machine lacks the go.mod of modules that are not built
	t.Setenv("GOPROXY", "off")
	run("-mod=mod", strings.Fields(get)...)
	run("", "go", "generate", "./boxes")
	run("-mod=mod", "go", "vet", "./boxes")
	text, err := os.ReadFile(filepath.Join(dir, "boxes", "boxes.gen.go"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "\npackage typed\n")
}
