package generated

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/generate/testdata/golden/tail"
)

// TestTail leaves out what a nyash_box.toml lets a caller leave out.
func TestTail(t *testing.T) {
	dir, root := t.TempDir(), ccbuild.Root(t)
	ccbuild.LibraryAt(t, filepath.Join(dir, "libtext.so"), filepath.Join(root, "tests/wild/testdata/text/text.c"), "-std=gnu11", "-fvisibility=hidden", "-DTABLES")
	manifest, err := os.ReadFile(filepath.Join(root, "tools/generate/testdata/tail.toml"))
	require.NoError(t, err)
	for name, data := range map[string][]byte{registry.ManifestName: manifest, "nyash.toml": []byte("[plugins]\nTextBox = \"./libtext.so\"\n")} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	host, err := loader.Open(filepath.Join(dir, "nyash.toml"))
	require.NoError(t, err)
	defer host.Close()

	ctx := t.Context()
	empty, err := tail.NewTextBox(ctx, host)
	require.NoError(t, err)
	defer empty.Close()
	text, err := tail.NewTextBox(ctx, host, "hi")
	require.NoError(t, err)
	defer text.Close()
	require.NoError(t, empty.Append(ctx, text.Box()))
	for name, tt := range map[string]struct {
		call func() (string, error)
		want string
	}{
		"nothing":              {func() (string, error) { return text.Fill(ctx, 4) }, "hi.."},
		"one":                  {func() (string, error) { return text.Fill(ctx, 4, "-") }, "hi--"},
		"of three":             {func() (string, error) { return text.All(ctx, 4, "-", true) }, "--hi"},
		"varargs":              {func() (string, error) { r, _ := text.PadAll(ctx, 4, "-", true); return r.Text() }, "--hi"},
		"varargs, none":        {func() (string, error) { r, _ := text.PadAll(ctx, 4); return r.Text() }, "hi  "},
		"what a box was given": {func() (string, error) { return empty.Text(ctx) }, "hi"},
	} {
		got, err := tt.call()
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got, name)
	}
	_, err = text.Pad(ctx, 4, "-", true, 1)
	assert.ErrorContains(t, err, "it takes 0 to 3")
}
