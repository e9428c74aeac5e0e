package generated

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/generate/testdata/golden/kinds"
)

const golden = "tools/generate/testdata/golden/plugin"

// kindsIn compiles the plugin of testdata in C or C++.
func kindsIn(t *testing.T, source string, flags ...string) string {
	t.Helper()
	flags = append([]string{"-Wpedantic", "-fvisibility=hidden", "-I", filepath.Join(ccbuild.Root(t), golden)}, flags...)
	return ccbuild.Library(t, filepath.Join("testdata", source), flags...)
}

// kindsInRust builds the plugin of testdata in Rust, in the folder where the SDK is built
// for all tests.
func kindsInRust(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("cargo")
	require.NoError(t, err, "the tests need cargo (see README.md); `make test` installs it")
	target := filepath.Join(ccbuild.Root(t), "plugins", "sdk", "rust", "target")
	cmd := exec.Command(path, "build", "--offline", "--quiet", "--locked")
	cmd.Dir = filepath.Join("testdata", "rust")
	cmd.Env = append(os.Environ(), "CARGO_TARGET_DIR="+target, "CARGO_TERM_COLOR=never", "RUSTFLAGS=-D warnings")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	if runtime.GOOS == "darwin" {
		return filepath.Join(target, "debug", "libnyash_generated.dylib")
	}
	return filepath.Join(target, "debug", "libnyash_generated.so")
}

// kindsTOML is the nyash.toml that all golden files are made from. It is strict: the
// signatures that the library computes must be those of its own description.
func kindsTOML(t *testing.T, library string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ccbuild.Root(t), "tools/generate/testdata/kinds.toml"))
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), `library = "store"`, fmt.Sprintf("library = %q\nstrict = true", library))
}

func TestKinds(t *testing.T) {
	for language, build := range map[string]func(*testing.T) string{
		"C":    func(t *testing.T) string { return kindsIn(t, "kinds.c", "-std=c99") },
		"C++":  func(t *testing.T) string { return kindsIn(t, "kinds.cpp") },
		"Rust": kindsInRust,
	} {
		t.Run(language, func(t *testing.T) {
			library := build(t)
			log := hosttest.NewLog()
			host := hosttest.Open(t, kindsTOML(t, library), log.Option())
			useKinds(t, host)
			for _, r := range log.Records() {
				assert.Less(t, r.Level, slog.LevelWarn, r.Message)
			}

			// The library alone says the same as nyash.toml.
			alone := hosttest.Open(t, fmt.Sprintf("[plugins.Store]\nlibrary = %[1]q\nstrict = true\n[plugins.Thing]\nbox = \"Item\"\nlibrary = %[1]q\nstrict = true\n", library))
			for _, name := range []string{"Store", "Thing"} {
				want, err := host.Type(t.Context(), name)
				require.NoError(t, err)
				got, err := alone.Type(t.Context(), name)
				require.NoError(t, err)
				assert.Equal(t, want.ID, got.ID)
				assert.Equal(t, want.Doc, got.Doc)
				require.Len(t, got.Methods, len(want.Methods))
				for i, m := range want.Methods {
					own := got.Methods[i]
					assert.Equal(t, [3]any{m.Name, m.ID, m.Doc}, [3]any{own.Name, own.ID, own.Doc})
					assert.Len(t, own.Args, len(m.Args))
				}
			}
		})
	}
}

// must is the value of a call that succeeds.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

// useKinds calls every method once.
func useKinds(t *testing.T, host *loader.Host) {
	t.Helper()
	ctx := t.Context()
	_, err := kinds.NewStore(ctx, host, "", false)
	require.ErrorContains(t, err, "no path")
	store := must[*kinds.Store](t)(kinds.NewStore(ctx, host, "here", true))
	defer store.Close()
	i64, i32 := must[int64](t), must[int32](t)

	assert.False(t, must[bool](t)(store.Flag(ctx, true)))
	assert.Equal(t, int32(42), i32(store.Narrow(ctx, 41)))
	assert.Equal(t, int64(1)<<40+1, i64(store.Wide(ctx, 1<<40)))
	assert.Equal(t, float32(0.75), must[float32](t)(store.Single(ctx, 1.5)))
	assert.Equal(t, 3.25, must[float64](t)(store.Double(ctx, 1.25, 2)))
	assert.Equal(t, "äb", must[string](t)(store.Text(ctx, "ä", []byte("b"))))
	assert.Equal(t, []byte("ab"), must[[]byte](t)(store.Data(ctx, "a", []byte("b"))))
	blob := must[*loader.Blob](t)(store.Large(ctx, strings.Repeat("a", 70_000), []byte("b")))
	assert.Len(t, blob.Bytes(), 70_001)
	blob.Release()
	require.NoError(t, store.Nothing(ctx))

	item := must[*kinds.Thing](t)(store.First(ctx))
	defer item.Close()
	require.NoError(t, store.Put(ctx, item))
	require.Error(t, store.Put(ctx, store), "a Store is no Item")
	require.NoError(t, must[*kinds.Thing](t)(item.Twin(ctx, item)).Close())
	require.NoError(t, must[*kinds.Store](t)(item.Owner(ctx)).Close())
	require.NoError(t, must[*kinds.Store](t)(store.Copy(ctx)).Close())
	another := must[*loader.Box](t)(store.Another(ctx))
	require.NoError(t, must[*kinds.Store](t)(kinds.AsStore(another)).Close())

	assert.Equal(t, int64(10), i64(store.Type(ctx, 1, 2, 3, 4)))
	assert.Equal(t, int64(16), i64(store.ReadAll_16(ctx)))
	assert.Equal(t, int64(15), i64(store.ReadAll(ctx)))
	require.NoError(t, store.CallClose(ctx))
	assert.Equal(t, "store", must[string](t)(store.CallString(ctx)))
	assert.Equal(t, int32(19), i32(store.CallReadByte(ctx)))
	assert.Equal(t, int32(20), i32(store.Clone(ctx)))
	assert.Equal(t, int32(21), i32(store.Table(ctx)))
	assert.Equal(t, int64(45), i64(store.Many(ctx, 1, 2, 3, 4, 5, 6, 7, 8, 9)))
}
