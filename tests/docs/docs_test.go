// Package docs runs the commands that the documents show, and follows their
// links.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// notRun are commands that are shown and cannot run inside a test.
var notRun = map[string]string{
	"make test":  "this test is part of it",
	"make race":  "it runs this test",
	"make lint":  "it downloads the linter",
	"make fuzz":  "it takes minutes",
	"make soak":  "it takes minutes",
	"make bench": "it takes minutes, and downloads the peers",
	"./bin/plugin-tester validate --config nyash.toml --no-memcheck": "cmd/plugin-tester validates a smaller file, and tests/sdk tries each plugin",
}

func documents(t *testing.T) []string {
	var all []string
	root := ccbuild.Root(t)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if d.IsDir() && d.Name() == "codes" {
			return filepath.SkipDir // texts of a command, whose tests compile their examples
		}
		if filepath.Ext(path) == ".md" {
			all = append(all, path)
		}
		return nil
	}))
	require.NotEmpty(t, all)
	return all
}

var fenced = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// blocks are the fenced blocks of one language.
func blocks(t *testing.T, file, language string) []string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []string
	for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

func TestCommands(t *testing.T) {
	root := ccbuild.Root(t)
	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "plugins", "build")
	seen := map[string]bool{}
	for _, file := range documents(t) {
		for _, text := range blocks(t, file, "sh") {
			if seen[text] || notRun[strings.TrimSpace(text)] != "" {
				continue
			}
			seen[text] = true
			name, err := filepath.Rel(root, file)
			require.NoError(t, err)
			t.Run(name+": "+strings.TrimSpace(text), func(t *testing.T) {
				// What takes as long as something new comes of it is cut short. FileBox is run by
				// valgrind in tests/memcheck.
				cmd := exec.Command("bash", "-eu", "-c", strings.ReplaceAll(text, "plugin-tester all ", "plugin-tester all --no-memcheck --for 500ms "))
				cmd.Dir = root
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
			})
		}
	}
	assert.True(t, seen["make run\n"], "the README shows its first command")
}

var link = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)

// TestLinks follows the links within the repository, to a heading where they name one.
func TestLinks(t *testing.T) {
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		prose := code.ReplaceAllString(fenced.ReplaceAllString(string(text), ""), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			_, err := os.Stat(target)
			if assert.NoError(t, err, "%s links to %s", file, m[1]) && m[2] != "" {
				assert.Contains(t, anchors(t, target), m[2], "%s links to %s%s", file, m[1], m[2])
			}
		}
	}
}

// TestTables: a blank line ends a table, and rows behind it would be text.
func TestTables(t *testing.T) {
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		lines := strings.Split(fenced.ReplaceAllString(string(text), ""), "\n")
		for i, line := range lines[1:] {
			if strings.HasPrefix(line, "|") && !strings.HasPrefix(lines[i], "|") && assert.Less(t, i+2, len(lines), file) {
				assert.True(t, strings.HasPrefix(lines[i+2], "|-"), "%s: no header over %s", file, line)
			}
		}
	}
}

var (
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor = regexp.MustCompile(`[^\pL\pN _-]`)
)

// anchors are what a page's headings can be linked as.
func anchors(t *testing.T, file string) (all []string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		name := noAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, "#"+strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// TestTOML reads every nyash.toml and nyash_box.toml that a document shows; docs/abi.md shows
// what libraries say of themselves.
func TestTOML(t *testing.T) {
	read := map[string]bool{}
	for _, file := range documents(t) {
		for _, text := range blocks(t, file, "toml") {
			if filepath.Base(file) == "abi.md" {
				d, err := registry.ParseDescription(file, text)
				require.NoError(t, err, "%+v", err)
				assert.Empty(t, d.Warnings)
				continue
			}
			if strings.Contains(text, "[provides]") {
				d, err := registry.ParseManifest(registry.ManifestName, []byte(text))
				require.NoError(t, err, "%+v", err)
				assert.Empty(t, d.Warnings)
				continue
			}
			c, err := registry.Parse(file, []byte(text))
			require.NoError(t, err, "%+v", err)
			assert.Empty(t, c.Warnings)
			assert.Empty(t, c.CheckUses(builtin.Methods(builtin.All())))
			read[filepath.Base(file)] = true
		}
	}
	assert.True(t, read["process.md"] && read["nyash-toml.md"], "read: %v", read)
}

// TestPluginOfTheABIPage loads the plugin that docs/abi.md shows, and calls it; then again
// with the table.
func TestPluginOfTheABIPage(t *testing.T) {
	shown := blocks(t, filepath.Join(ccbuild.Root(t), "docs", "abi.md"), "c")
	require.Len(t, shown, 2)
	callAnswer(t, shown[0], abi.FourSymbols)
	callAnswer(t, shown[0]+shown[1], abi.TypeBoxes)
}

func callAnswer(t *testing.T, text string, want abi.Generation) {
	library := ccbuild.Source(t, "answer", text, "-Wpedantic")
	config, err := registry.Parse("nyash.toml", fmt.Appendf(nil, "[plugins.AnswerBox]\nlibrary = %q\nthreads = \"serial\"\n", library))
	require.NoError(t, err)
	host, err := loader.OpenConfig(config)
	require.NoError(t, err)
	defer host.Close()
	box, err := host.New(t.Context(), "AnswerBox")
	require.NoError(t, err)
	assert.Equal(t, want, box.Type().Generation)
	answer, err := box.Call(t.Context(), "answer")
	require.NoError(t, err)
	assert.Equal(t, int32(42), answer.Any())
	require.NoError(t, box.Close())
}
