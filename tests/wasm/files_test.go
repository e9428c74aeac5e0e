package wasm

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// place is a folder with a nyash.toml whose module may use some of the folders beside it.
type place struct {
	t    *testing.T
	dir  string
	host *loader.Host
	box  *loader.Box
}

// newPlace lays out: in/ (readable), out/ (writable), and secret, which neither is.
func newPlace(t *testing.T, permissions string, opts ...loader.Option) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	for _, dir := range []string{"in", "out", "out/deep"} {
		require.NoError(t, os.Mkdir(filepath.Join(p.dir, dir), 0o755))
	}
	p.put("secret", "secret")
	p.put("in/a.txt", "from in")
	p.put("out/b.txt", "from out")
	file := ccbuild.Module(t, "testdata/files.c")
	text := fmt.Sprintf("[plugins.Files]\nlibrary = %q\n%s\n", file, permissions)
	path := filepath.Join(p.dir, "nyash.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	h, err := loader.Open(path, append(hosttest.Options(), opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	p.host = h
	return p
}

func (p *place) put(name, text string) {
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644))
}

func (p *place) get(name string) string {
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	require.NoError(p.t, err)
	return string(text)
}

// do calls a method of the module.
func (p *place) do(method string, args ...any) string {
	p.t.Helper()
	if p.box == nil {
		p.box = hosttest.New(p.t, p.host, "Files")
	}
	text, err := loader.Call[string](p.t.Context(), p.box, method, args...)
	require.NoError(p.t, err)
	return text
}

const inAndOut = `permissions = { read = ["./in"], write = ["out"] }`

func TestFolders(t *testing.T) {
	p := newPlace(t, inAndOut)
	assert.Equal(t, "from in", p.do("read", "in/a.txt"))
	assert.Equal(t, "from in", p.do("read", filepath.Join(p.dir, "in/a.txt")), "by its absolute path")
	assert.Equal(t, "from out", p.do("read", "./out/b.txt"))
	assert.Equal(t, "7", p.do("stat", "in/a.txt"))
	assert.Equal(t, "done", p.do("write", "out/deep/c.txt"))
	assert.Equal(t, "written", p.get("out/deep/c.txt"))
	assert.Equal(t, "done", p.do("rename", "out/deep/c.txt", "out/d.txt"))
	assert.Equal(t, "done", p.do("link", "out/d.txt", "out/e.txt"))
	assert.Equal(t, "done", p.do("mkdir", "out/made"))
	assert.Equal(t, "done", p.do("remove", "out/made"))
	names := strings.Fields(p.do("list", "out"))
	slices.Sort(names)
	assert.Equal(t, []string{"b.txt", "d.txt", "deep", "e.txt"}, names)
	names = strings.Fields(p.do("list", "."))
	slices.Sort(names)
	assert.Equal(t, []string{"in", "out", strings.Split(p.dir, "/")[1]}, names)
	assert.NotEqual(t, "done", p.do("rename", "out/d.txt", "in/d.txt"))
}

// TestFolders_ReadOnly: what may be read cannot be changed.
func TestFolders_ReadOnly(t *testing.T) {
	p := newPlace(t, inAndOut)
	for _, args := range [][]any{
		{"write", "in/a.txt"}, {"write", "in/new"}, {"rename", "in/a.txt", "in/b"}, {"mkdir", "in/d"}, {"remove", "in/a.txt"},
		{"symlink", "a.txt", "in/l"}, {"link", "in/a.txt", "in/l"},
	} {
		assert.Equal(t, "Permission denied", p.do(args[0].(string), args[1:]...), "%v", args)
	}
	assert.Equal(t, "from in", p.get("in/a.txt"))
}

// TestFolders_NoWayOut: neither paths nor links, whoever made them, lead out of the folders.
func TestFolders_NoWayOut(t *testing.T) {
	p := newPlace(t, inAndOut)
	secret := filepath.Join(p.dir, "secret")
	require.NoError(t, os.Symlink("../secret", filepath.Join(p.dir, "out", "up")))
	require.NoError(t, os.Symlink(secret, filepath.Join(p.dir, "out", "absolute")))
	require.NoError(t, os.Symlink("..", filepath.Join(p.dir, "out", "parent")))
	require.NoError(t, os.Symlink("up", filepath.Join(p.dir, "out", "twice")))
	require.NoError(t, os.Symlink("b.txt", filepath.Join(p.dir, "out", "inside")))
	assert.Equal(t, "from out", p.do("read", "out/inside"), "a link that stays is followed")

	outside := []string{
		"secret", "../secret", "out/../secret", "out/../../secret", "out/deep/../../secret", secret, "/etc/passwd",
		"out/up", "out/absolute", "out/parent/secret", "out/twice", "nyash.toml", "out/deep/../../out/../secret",
	}
	for _, path := range outside {
		for _, method := range []string{"read", "write", "stat", "list", "remove", "mkdir"} {
			if method == "remove" && strings.HasPrefix(path, "out/") && !strings.Contains(path, "..") && path != "out/parent/secret" {
				continue // the link itself may be removed
			}
			got := p.do(method, path)
			assert.NotContains(t, got, "secret", "%s %s", method, path)
			assert.NotEqual(t, "done", got, "%s %s", method, path)
		}
		if link, _ := os.Readlink(filepath.Join(p.dir, path)); link != "" {
			continue // the link itself may be moved
		}
		assert.NotEqual(t, "done", p.do("rename", path, "out/stolen"), path)
		assert.NotEqual(t, "done", p.do("rename", "out/b.txt", path), path)
		assert.NotEqual(t, "done", p.do("link", path, "out/stolen"), path)
	}
	assert.Equal(t, "secret", p.get("secret"))
	assert.NoFileExists(t, filepath.Join(p.dir, "out", "stolen"))
}

// TestFolders_Refused: what is refused is EACCES, and a line of the log that says what is missing.
func TestFolders_Refused(t *testing.T) {
	tests := map[string]struct {
		method string
		args   []any
		want   string
	}{
		"a file elsewhere":         {"read", []any{"secret"}, "open secret: neither read nor write lists it"},
		"an absolute path":         {"read", []any{"/etc/passwd"}, "open etc/passwd: neither read nor write lists it"},
		"to write where it reads":  {"write", []any{"in/a.txt"}, "open in/a.txt: write does not list it"},
		"to write elsewhere":       {"write", []any{"secret"}, "open secret: write does not list it"},
		"to look at a file":        {"stat", []any{"secret"}, "look at secret: neither read nor write lists it"},
		"to move out":              {"rename", []any{"out/b.txt", "secret"}, "move to secret: write does not list it"},
		"to move from a read one":  {"rename", []any{"in/a.txt", "out/a.txt"}, "move in/a.txt: write does not list it"},
		"a link that leads out":    {"read", []any{"out/up"}, "open out/up: a link leads out of its folder"},
		"to make one":              {"symlink", []any{"../secret", "out/deep/l"}, "make a link at out/deep/l: a link leads out of its folder"},
		"to make one to elsewhere": {"symlink", []any{"a", "l"}, "make a link at l: write does not list it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log := hosttest.NewLog()
			p := newPlace(t, inAndOut, log.Option())
			require.NoError(t, os.Symlink("../secret", filepath.Join(p.dir, "out", "up")))
			assert.Equal(t, "Permission denied", p.do(tt.method, tt.args...))
			require.NoError(t, p.host.Close())
			action, why, _ := strings.Cut(tt.want, ":")
			assert.Equal(t, []string{"it may not " + action + " (from / or the folder of nyash.toml):" + why}, log.Messages())
		})
	}
}

// TestFolders_OwnLinks: a module makes no links that lead out, not even ones that would do so
// after they were moved.
func TestFolders_OwnLinks(t *testing.T) {
	p := newPlace(t, inAndOut)
	for _, to := range []string{"/etc/passwd", "../../secret", "..", "../secret", "a/../../../secret", "./..", "../deep/x"} {
		assert.NotEqual(t, "done", p.do("symlink", to, "out/deep/link"), to)
		assert.NoFileExists(t, filepath.Join(p.dir, "out", "deep", "link"))
	}
	assert.Equal(t, "done", p.do("symlink", "b.txt", "out/link"))
	assert.Equal(t, "from out", p.do("read", "out/link"))
	assert.Equal(t, "done", p.do("rename", "out/link", "out/deep/link"))
	assert.NotEqual(t, "from out", p.do("read", "out/deep/link"), "it leads beside itself")
}

// TestFolders_None: without the table, and with an empty one, a module sees no files.
func TestFolders_None(t *testing.T) {
	for _, permissions := range []string{"", "permissions = {}"} {
		p := newPlace(t, permissions)
		for _, path := range []string{"secret", "in/a.txt", "/", ".", "/etc/passwd", filepath.Join(p.dir, "in/a.txt")} {
			assert.NotContains(t, p.do("read", path), "from in")
			assert.NotEqual(t, "done", p.do("write", path))
			assert.NotContains(t, p.do("list", path), "in ")
		}
	}
}

// TestFolders_Nested: what may only be read does not lie where the module may link and move.
func TestFolders_Nested(t *testing.T) {
	file := ccbuild.Module(t, "testdata/files.c")
	for permissions, located := range map[string]bool{
		`{ write = ["./out"], read = ["in", "./out/deep"] }`: true,
		`{ write = ["."], read = ["in"] }`:                   true,
		`{ write = ["./out"], read = ["./alias"] }`:          false,
		`{ write = ["./alias"], read = ["./out/deep/in"] }`:  false,
	} {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "out/deep/in"), 0o755))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
		require.NoError(t, os.Symlink("out/deep", filepath.Join(dir, "alias")))
		path := filepath.Join(dir, "nyash.toml")
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "[plugins.Files]\nlibrary = %q\npermissions = %s\n", file, permissions), 0o644))
		h, err := loader.Open(path, hosttest.Options()...)
		if located {
			assert.ErrorContains(t, err, "permissions.read: ", permissions)
			assert.ErrorContains(t, err, "of write, in which the module may change all", permissions)
			continue
		}
		require.NoError(t, err)
		_, err = h.New(t.Context(), "Files")
		require.ErrorIs(t, err, loader.ErrOpen, permissions)
		assert.ErrorContains(t, err, "of write, in which it may change all", permissions)
		require.NoError(t, h.Close())
	}
	p := newPlace(t, `permissions = { write = ["./out", "out/deep"], read = [".", "./out/deep"] }`)
	assert.Equal(t, "done", p.do("write", "out/deep/a"), "in the other order, and both, all is said")
	assert.Equal(t, "Permission denied", p.do("write", "in/a.txt"))
}

// TestFolders_LongPaths: neither a path nor a link's target is taken that no system takes.
func TestFolders_LongPaths(t *testing.T) {
	p := newPlace(t, inAndOut)
	long := "out/" + strings.Repeat("a/", 20_000) + "b"
	for _, args := range [][]any{
		{"read", long}, {"write", long}, {"stat", long}, {"mkdir", long}, {"remove", long}, {"list", long},
		{"symlink", long, "out/l"}, {"symlink", "b.txt", long}, {"link", "out/b.txt", long}, {"link", long, "out/l"},
		{"rename", "out/b.txt", long}, {"rename", long, "out/l"},
	} {
		assert.Equal(t, "Filename too long", p.do(args[0].(string), args[1:]...), args[0])
	}
}

// TestFolders_OpenFiles: one module leaves its host descriptors, and can open more when it has
// closed some.
func TestFolders_OpenFiles(t *testing.T) {
	for keys, want := range map[string]string{"": "255", "\nlimits = { open_files = 20 }": "19"} { // besides the root
		p := newPlace(t, inAndOut+keys)
		for range 3 {
			assert.Equal(t, want, p.do("openAll", "in/a.txt"))
			assert.Equal(t, want, p.do("openAll", "."))
		}
		assert.Equal(t, "from in", p.do("read", "in/a.txt"))
	}
}

// TestFolders_Interrupt: neither the number of buffers nor their size keeps one call of WASI from ending.
func TestFolders_Interrupt(t *testing.T) {
	for _, method := range []string{"readMany", "preadMany", "writeMany", "pwriteMany", "printMany"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "call_timeout = \"100ms\"\n"+inAndOut)
			require.NoError(t, os.Truncate(filepath.Join(p.dir, "out/b.txt"), 1<<40))
			_, err := hosttest.New(t, p.host, "Files").Call(t.Context(), method, "out/b.txt")
			require.ErrorIs(t, err, loader.ErrCallTimeout)
		})
	}
}

// TestFolders_Missing: a folder that is not there is an error of loading.
func TestFolders_Missing(t *testing.T) {
	for permissions, want := range map[string]string{
		`permissions = { read = ["./nowhere"] }`: "nyash.toml:3:1: its permissions name DIR/nowhere: no such file or directory; make the folder, or correct the path",
		`permissions = { read = ["./secret"] }`:  "DIR/secret: it is not a folder, and a module is given folders",
		`permissions = { read = ["~/nowhere"] }`: "its permissions name DIR/home/nowhere: no such file",
	} {
		home := filepath.Join(t.TempDir(), "home")
		t.Setenv("HOME", home)
		p := newPlace(t, permissions)
		want = strings.NewReplacer("DIR/home", home, "DIR", p.dir).Replace(want)
		_, err := p.host.New(t.Context(), "Files")
		require.ErrorIs(t, err, loader.ErrOpen)
		assert.ErrorContains(t, err, want)
	}
}
