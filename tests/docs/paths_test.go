package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

var (
	code = regexp.MustCompile("`([^`\n]+)`")
	// path is a span of code that names a file or a folder of this repository.
	path = regexp.MustCompile(`^(\.ci/.+|\.golangci\.yml|Makefile|go\.mod|nyash\.toml|[A-Z]+\.md|(abi|cmd|docs|hostvtable|internal|loader|plugins|registry|tests|tlv|tools)/[\w./*-]*)$`)
)

// TestArchitecture_Paths holds docs/architecture.md to the tree: what it names exists.
func TestArchitecture_Paths(t *testing.T) {
	root := ccbuild.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	require.NoError(t, err)
	named := map[string]bool{}
	for _, m := range code.FindAllStringSubmatch(string(text), -1) {
		if !path.MatchString(m[1]) || named[m[1]] || strings.Contains(m[1], "name.md") {
			continue
		}
		named[m[1]] = true
		_, err := os.Stat(filepath.Join(root, m[1]))
		assert.NoError(t, err, "docs/architecture.md names %s", m[1])
	}
	assert.Greater(t, len(named), 50)
}
