package registry

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// before11 are documents of the suite that TOML 1.1 made valid.
var before11 = []string{
	"invalid/spec-1.0.0/*", "valid/spec-1.0.0/*",
	"invalid/datetime/no-secs.toml", "invalid/local-time/no-secs.toml", "invalid/local-datetime/no-secs.toml",
	"invalid/string/basic-byte-escapes.toml",
	"invalid/inline-table/trailing-comma.toml", "invalid/inline-table/linebreak-*.toml",
}

// Suite returns the documents of toml-test, the conformance suite of TOML, for TOML 1.1.
// They come with BurntSushi/toml.
func Suite(t testing.TB) map[string][]byte {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/BurntSushi/toml").Output()
	require.NoError(t, err)
	suite := os.DirFS(filepath.Join(strings.TrimSpace(string(module)), "internal", "toml-test", "tests"))
	all := map[string][]byte{}
	for _, pattern := range []string{"valid/*.toml", "valid/*/*.toml", "invalid/*.toml", "invalid/*/*.toml"} {
		names, err := fs.Glob(suite, pattern)
		require.NoError(t, err)
		for _, name := range names {
			matches := func(old string) bool { ok, _ := path.Match(old, name); return ok }
			if slices.ContainsFunc(before11, matches) {
				continue
			}
			all[name], err = fs.ReadFile(suite, name)
			require.NoError(t, err)
		}
	}
	require.Greater(t, len(all), 600)
	return all
}

func TestSuite(t *testing.T) {
	list := disagreements(t)
	for name, data := range Suite(t) {
		t.Run(name, func(t *testing.T) {
			d := newDocument(name, data)
			_, ok := d.tree()
			assert.Equal(t, strings.HasPrefix(name, "valid/"), ok, "%s\n%v", data, d.errs)
			CheckOracle(t, list, data)
		})
	}
}
