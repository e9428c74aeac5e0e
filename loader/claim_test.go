package loader_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
)

// Two entries of one file that are not one library would have two boxes for one instance.
func TestSameFile(t *testing.T) {
	library := bare(t)
	dir := t.TempDir()
	link, hard := filepath.Join(dir, "link.so"), filepath.Join(dir, "hard.so")
	require.NoError(t, os.Symlink(library, link))
	if err := os.Link(library, hard); err != nil { // another file system
		data, err := os.ReadFile(library)
		require.NoError(t, err)
		library = filepath.Join(dir, "library.so")
		require.NoError(t, os.WriteFile(library, data, 0o755))
		require.NoError(t, os.Remove(link))
		require.NoError(t, os.Symlink(library, link))
		require.NoError(t, os.Link(library, hard))
	}
	plugins := func(name, file string) string {
		return fmt.Sprintf("[plugins.%s]\nlibrary = %q\nbox = \"Bare\"\ntype_id = 11\nmethods = { id = { method_id = 1 } }\n", name, file)
	}
	libraries := func(key, file string) string {
		return fmt.Sprintf("[libraries.%q]\npath = %q\n[libraries.%[1]q.Bare]\ntype_id = 12\nmethods = { id = { method_id = 1 } }\n", key, file)
	}
	for name, tt := range map[string]struct{ toml, first, second, want string }{
		"a link":                 {plugins("One", library) + plugins("Bare", link), "One", "Bare", fmt.Sprintf("nyash.toml:7:1: plugins.Bare.library: %s is the library of One already, which is called %s there (line 1); name it the same way in both entries", link, library)},
		"the link first":         {plugins("One", library) + plugins("Bare", link), "Bare", "One", fmt.Sprintf("nyash.toml:2:1: plugins.One.library: %s is the library of Bare already, which is called %s there (line 6); name it the same way in both entries", library, link)},
		"another name":           {plugins("One", library) + plugins("Bare", hard), "One", "Bare", "is the library of One already"},
		"another way":            {plugins("One", library) + plugins("Bare", filepath.Dir(library)+"/./"+filepath.Base(library)), "One", "Bare", "is the library of One already"},
		"the other form":         {plugins("One", library) + libraries("x.so", library), "One", "Bare", "x.so is the library of One already, which is called " + library + " there (line 1); declare all its boxes in one of the two entries"},
		"the other form, a name": {plugins("One", library) + libraries(library, library), "One", "Bare", "declare all its boxes in one of the two entries"},
	} {
		for _, isolation := range []loader.Isolation{loader.IsolationNone, loader.IsolationProcess} {
			t.Run(fmt.Sprintf("%s/%v", name, isolation), func(t *testing.T) {
				h := open(t, tt.toml, loader.WithIsolation(isolation))
				first := newBox(t, h, tt.first)
				for range 8 { // more often than a worker may crash
					_, err := h.New(t.Context(), tt.second)
					require.ErrorIs(t, err, loader.ErrDeclaration)
					require.Contains(t, err.Error(), tt.want)
				}
				assert.EqualValues(t, 7, callInt(t, first, "id"))
			})
		}
	}
}

// Whichever of two entries is loaded first, one of them is.
func TestSameFile_AtOnce(t *testing.T) {
	library := bare(t)
	link := filepath.Join(t.TempDir(), "link.so")
	require.NoError(t, os.Symlink(library, link))
	h := open(t, fmt.Sprintf("[plugins.One]\nlibrary = %q\nbox = \"Bare\"\ntype_id = 1\n[plugins.Bare]\nlibrary = %q\ntype_id = 1\n", library, link))
	err := h.Load(t.Context())
	require.Error(t, err)
	assert.Equal(t, 1, strings.Count(err.Error(), "already"), err.Error())
}
