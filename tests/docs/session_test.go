package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

var inputLine = regexp.MustCompile(`(?m)^error: line \d+: `)

// TestHostGuide_Session runs the statements of the session that the page shows, which answers as there.
func TestHostGuide_Session(t *testing.T) {
	root := ccbuild.Root(t)
	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "plugins", "build")
	const prompt = ">>> "
	var sessions int
	for _, block := range blocks(t, filepath.Join(root, "docs", "host-guide.md"), "text") {
		if !strings.HasPrefix(block, prompt) {
			continue
		}
		sessions++
		var typed, answers []string
		for _, line := range strings.Split(block, "\n") {
			if statement, ok := strings.CutPrefix(line, prompt); ok {
				typed = append(typed, statement)
			} else {
				answers = append(answers, line)
			}
		}
		run := exec.Command(filepath.Join(root, "bin", "nyash"), "--config", filepath.Join(root, "nyash.toml"), "repl")
		run.Dir = t.TempDir()
		run.Stdin = strings.NewReader(strings.Join(typed, "\n"))
		out, err := run.CombinedOutput()
		// A session at a terminal has no such line, and errors there name no line of the input.
		said, failed := strings.CutSuffix(string(out), "nyash: 1 of the statements failed\n")
		assert.Equal(t, failed, err != nil)
		assert.Equal(t, strings.Join(answers, "\n"), inputLine.ReplaceAllString(said, "error: "))
	}
	assert.Equal(t, 1, sessions)
}
