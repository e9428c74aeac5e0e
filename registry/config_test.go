package registry_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func parse(t testing.TB, text string) *registry.Config {
	t.Helper()
	c, err := registry.Parse("nyash.toml", []byte(text))
	require.NoError(t, err)
	return c
}

func box(t testing.TB, c *registry.Config, name string) *registry.Box {
	t.Helper()
	b, ok := c.Box(name)
	require.True(t, ok)
	return b
}

func TestPluginsForm(t *testing.T) {
	c := parse(t, `
[plugin_paths]
search_paths = ["./plugins/*/build", "~/.nyash/plugins"]

[plugins]
Short = "nyash-short-plugin"

[plugins.FileBox]
library = "nyash-filebox-plugin"
type_id = 0x6
singleton = true
threads = "pinned"
unload = true

[plugins.FileBox.methods]
birth = { args = ["name"] }
open  = { method_id = 1, args = [ { name = "path", from = "string", to = "string" }, "mode" ] }
write = { method_id = 3, args = [ { name = "data", from = "string", to = "bytes" } ], returns = "i32" }
clone = { returns = "FileBox", returns_result = true }
`)
	assert.Equal(t, []string{"./plugins/*/build", "~/.nyash/plugins"}, c.SearchPaths)
	require.Len(t, c.Boxes, 2)

	short := box(t, c, "Short")
	assert.Equal(t, "nyash-short-plugin", short.Library.Name)
	assert.False(t, short.HasTypeID)
	assert.False(t, short.MethodsDeclared)
	assert.Equal(t, "nyash.toml:6:1", short.Pos.String())

	file := box(t, c, "FileBox")
	assert.EqualValues(t, 6, file.TypeID)
	assert.True(t, file.Singleton)
	assert.Equal(t, registry.ThreadsPinned, file.Library.Threads)
	assert.True(t, file.Library.Unload)
	assert.False(t, file.Library.InvokeOnly)
	require.Len(t, file.Methods, 3)
	assert.Equal(t, "(path string, mode)", file.Methods[0].Signature.String())
	assert.Equal(t, "(data string→bytes) → i32", file.Methods[1].Signature.String())
	assert.Equal(t, "(…) → FileBox or error", file.Methods[2].Signature.String())
	assert.False(t, file.Methods[2].HasID)
	assert.Equal(t, "(name)", file.Birth.Signature.String())
}

func TestLibrariesForm(t *testing.T) {
	data, err := os.ReadFile("testdata/public.toml")
	require.NoError(t, err)
	c := parse(t, string(data))
	require.Len(t, c.Libraries, 2)
	python := c.Libraries[1]
	assert.Equal(t, "libnyash_python_plugin.so", python.Name)
	assert.Equal(t, "plugins/nyash-python-plugin/libnyash_python_plugin.so", python.Path)
	assert.True(t, python.InvokeOnly)
	require.Len(t, python.Boxes, 2)
	assert.Len(t, c.Warnings, 1, "the alias")

	copyFrom := box(t, c, "FileBox").Methods[1]
	assert.Equal(t, []registry.Arg{{Name: "argument 1", From: registry.ArgBox, To: tlv.TagHandle}}, copyFrom.Args)

	typ, err := box(t, c, "PyObjectBox").Bind(nil, abi.Description{})
	require.NoError(t, err)
	i := slices.IndexFunc(typ.Methods, func(m registry.Method) bool { return m.Name == "callKw" })
	require.GreaterOrEqual(t, i, 0)
	assert.EqualValues(t, 5, typ.Methods[i].ID)
}

func TestListedBoxNeedsNoTable(t *testing.T) {
	c := parse(t, "[libraries.\"libx.so\"]\nboxes = [\"A\", \"B\"]\n[libraries.\"libx.so\".B]\ntype_id = 2\n")
	assert.False(t, box(t, c, "A").HasTypeID)
	assert.EqualValues(t, 2, box(t, c, "B").TypeID)
}

func TestBind(t *testing.T) {
	described := abi.Description{TypeID: 6, TypeName: "FileBox", Methods: []abi.Method{
		{ID: 0, Name: "birth"}, {ID: 1, Name: "open"}, {ID: 2, Name: "read"}, {ID: 4294967295, Name: "fini"},
	}}
	tests := map[string]struct {
		text        string
		description abi.Description
		want        string // methods, or an error
	}{
		"short form":           {"[plugins]\nFileBox = \"x\"", described, "6 open=1 read=2"},
		"ids from the library": {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = { read = {} }", described, "6 read=2 open=1"},
		"ids in both":          {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 6\nmethods = { read = { method_id = 2 } }", described, "6 read=2 open=1"},
		"an empty table":       {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = {}", described, "6 open=1 read=2"},
		"hidden":               {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = { open = false }", described, "6 read=2"},
		"hidden and declared":  {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = { open = false, read = {} }", described, "6 read=2"},
		"all hidden":           {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = { read = false, open = false }", described, "6"},
		"hidden and unknown": {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = { raed = false }", described,
			"nyash.toml:3:13: plugins.FileBox.methods.raed: the library has no method raed (did you mean read?); the library has open, read"},
		"hidden and declared nowhere": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 6\nmethods = { read = false }", abi.Description{},
			"nyash.toml:4:13: plugins.FileBox.methods.read: there is nothing to hide: the library does not describe the methods of this box; leave it out"},
		"another name for an id": {"[plugins.FileBox]\nlibrary = \"x\"\nmethods = { opn = { method_id = 1 } }", described,
			"nyash.toml:3:13: plugins.FileBox.methods.opn: the library has no method opn (did you mean open?); the library has open, read"},
		"entries of one library": {"[plugins]\nOther = \"x\"\nFileBox = \"x\"", described, "6 open=1 read=2"},
		"an entry that is not described": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 9\nmethods = { get = { method_id = 1 } }\n[plugins.Other]\nlibrary = \"x\"",
			abi.Description{TypeID: 6, TypeName: "Other", Methods: described.Methods}, "9 get=1"},
		"an entry without a type": {"[plugins]\nFileBox = \"x\"\nOther = \"x\"", abi.Description{TypeID: 6, TypeName: "Other"},
			"nyash.toml:2:1: plugins.FileBox: its type_id is not known: nyash.toml gives none, and the library does not describe this box; add type_id"},
		"a nameless description of this box": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 6\n[plugins.Other]\nlibrary = \"x\"",
			abi.Description{TypeID: 6, Methods: described.Methods}, "6 open=1 read=2"},
		"a nameless description of another box": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 9\n[plugins.Other]\nlibrary = \"x\"\ntype_id = 6",
			abi.Description{TypeID: 6, Methods: described.Methods}, "9"},
		"silent library": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 7\nmethods = { read = { method_id = 9 } }", abi.Description{}, "7 read=9"},
		"nobody knows the type": {"[plugins]\nFileBox = \"x\"", abi.Description{},
			"nyash.toml:2:1: plugins.FileBox: its type_id is not known: nyash.toml gives none, and the library does not describe this box; add type_id"},
		"nobody knows the method": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 7\nmethods = { read = {} }", abi.Description{},
			"nyash.toml:4:13: plugins.FileBox.methods.read: its method_id is not known: nyash.toml gives none, and the library does not describe its methods; add method_id"},
		"another box of the library": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 9\nmethods = { get = { method_id = 1 } }",
			abi.Description{TypeID: 6, TypeName: "Other", Methods: described.Methods}, "9 get=1"},
		"another name": {"[plugins]\nFileBox = \"x\"", abi.Description{TypeID: 6, TypeName: "Other"},
			"nyash.toml:2:1: plugins.FileBox: the library calls its box Other, and nyash.toml calls it FileBox; rename the box to Other, or add box = \"Other\"; another box of the library needs its own type_id"},
		"another name, the same id": {"[plugins.FileBox]\nlibrary = \"x\"\ntype_id = 6", abi.Description{TypeID: 6, TypeName: "Other"},
			"nyash.toml:1:10: plugins.FileBox: the library calls its box Other, and nyash.toml calls it FileBox; rename the box to Other, or add box = \"Other\"; another box of the library needs its own type_id"},
		"one of several boxes":          {"[libraries.\"l.so\"]\nboxes = [\"FileBox\", \"Other\"]", described, "6 open=1 read=2"},
		"the box that is not described": {"[libraries.\"l.so\".FileBox]\ntype_id = 9\n[libraries.\"l.so\".Other]", abi.Description{TypeID: 6, TypeName: "Other"}, "9"},
		"an id of another box": {"[libraries.\"l.so\".FileBox]\ntype_id = 6\n[libraries.\"l.so\".Other]", abi.Description{TypeID: 6, TypeName: "Other"},
			"nyash.toml:2:1: libraries.\"l.so\".FileBox.type_id: the library says that type_id 6 is Other's; give this box the type_id that the library knows FileBox by"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			typ, err := box(t, parse(t, tt.text), "FileBox").Bind(nil, tt.description)
			if err != nil {
				assert.EqualError(t, err, tt.want)
				return
			}
			got := []string{fmt.Sprint(typ.ID)}
			for _, m := range typ.Methods {
				assert.True(t, m.HasID)
				got = append(got, fmt.Sprintf("%s=%d", m.Name, m.ID))
			}
			assert.Equal(t, tt.want, strings.Join(got, " "))
		})
	}
}

// A caller that looks at files itself is asked in the order of Find, and once for what is there.
func TestFindBy(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		library string
		there   string   // the file that there is
		asked   []string // below dir, the first and the last
		found   bool
	}{
		"a path":        {"a/libx.so", "a/libx.so", []string{"a/libx.so"}, true},
		"another name":  {"a/x", "a/libx.so", []string{"a/x", "a/libx.so"}, true},
		"a search path": {"x", "two/libx.so", []string{"one/x.so", "two/libx.so"}, true},
		"nowhere":       {"x", "a/libx.so", []string{"one/x.so", "two/libx.so"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), fmt.Appendf(nil, "[plugin_paths]\nsearch_paths = [\"one\", \"two\"]\n[plugins]\nA = %q\n", tt.library))
			require.NoError(t, err)
			var asked []string
			file, err := c.FindBy(box(t, c, "A").Library, func(path string) bool {
				path, err := filepath.Rel(dir, path)
				require.NoError(t, err)
				asked = append(asked, filepath.ToSlash(path))
				return asked[len(asked)-1] == tt.there
			})
			require.NotEmpty(t, asked)
			assert.Equal(t, tt.asked[0], asked[0])
			assert.Equal(t, tt.asked[len(tt.asked)-1], asked[len(asked)-1])
			if tt.found {
				assert.Equal(t, 1, strings.Count(strings.Join(asked, "\n")+"\n", tt.there+"\n"), "what is there")
			}
			if !tt.found {
				require.ErrorIs(t, err, fs.ErrNotExist)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, filepath.Join(dir, filepath.FromSlash(tt.there)), file)
		})
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	touch := func(path string) string {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		return path
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	require.NoError(t, os.MkdirAll(filepath.Join(home, "p"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(home, "p", "athome.so"), nil, 0o644))

	underscore := touch("plugins/one/build/libnyash_one_plugin.so")
	dash := touch("plugins/two/build/nyash-two-plugin.so")
	direct := touch("elsewhere/libthree.so")
	word := touch("elsewhere/liblibrary-box.so")

	const head = "[plugin_paths]\nsearch_paths = [\"./plugins/*/build\", \"~/p\", \"missing\"]\n"
	tests := map[string]struct{ text, want string }{
		"name with dashes":      {head + "[plugins]\nA = \"nyash-one-plugin\"", underscore},
		"name with underscores": {head + "[plugins]\nA = \"nyash_two_plugin\"", dash},
		"file name":             {head + "[plugins]\nA = \"libnyash_one_plugin.so\"", underscore},
		"other platform's name": {head + "[plugins]\nA = \"libnyash_one_plugin.dylib\"", underscore},
		"path":                  {head + "[plugins]\nA = \"elsewhere/libthree.so\"", direct},
		"path without ending":   {head + "[plugins]\nA = \"elsewhere/three\"", direct},
		"home":                  {head + "[plugins]\nA = \"athome\"", filepath.Join(home, "p", "athome.so")},
		"path key":              {head + "[libraries.\"liby.so\"]\npath = \"elsewhere/libthree.so\"\nboxes = [\"A\"]", direct},
		"path key is gone":      {head + "[libraries.\"libnyash_one_plugin.so\"]\npath = \"old/libx.so\"\nboxes = [\"A\"]", underscore},
		"a word with lib":       {head + "[plugins]\nA = \"elsewhere/library-box\"", word},
		"no search_paths":       {"[plugins]\nA = \"nyash-one-plugin\"", underscore},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), []byte(tt.text))
			require.NoError(t, err)
			got, err := c.Find(box(t, c, "A").Library)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}

	t.Run("missing", func(t *testing.T) {
		c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), []byte(head+"[plugins]\nA = \"a-b\""))
		require.NoError(t, err)
		_, err = c.Find(box(t, c, "A").Library)
		require.ErrorIs(t, err, fs.ErrNotExist)
		var missing *registry.NotFoundError
		require.ErrorAs(t, err, &missing)
		assert.Contains(t, missing.Tried, filepath.Join(dir, "plugins/one/build/liba_b.so"))
		assert.Contains(t, missing.Tried, filepath.Join(home, "p/a-b.so"))
		assert.Contains(t, missing.Tried, filepath.Join(dir, "missing/a-b.so"))
		assert.ErrorContains(t, err, "nyash.toml:4:1: library a-b not found")
	})
	// A module is found by its whole name, and an error says that one is there.
	module := touch("plugins/one/build/bad_box_plugin.wasm")
	for name, library := range map[string]string{"a module, by name": "bad-box-plugin", "a module, by path": "plugins/one/build/bad_box_plugin.so"} {
		t.Run(name, func(t *testing.T) {
			c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), fmt.Appendf(nil, "%s[plugins]\nA = %q", head, library))
			require.NoError(t, err)
			_, err = c.Find(box(t, c, "A").Library)
			require.ErrorIs(t, err, fs.ErrNotExist)
			assert.ErrorContains(t, err, fmt.Sprintf("library %s not found; there is %s, a WebAssembly module: write its ending, %q", library, module, strings.TrimSuffix(library, ".so")+".wasm"))
		})
	}
	// Nothing stands for a manifest that is not there: neither files of such a name nor the
	// library in the search paths.
	for name, tt := range map[string]struct{ text, library, path string }{
		"missing manifest":            {"[plugins]\nA = \"./nyash_box.toml\"", "./nyash_box.toml", "nyash_box.toml"},
		"missing manifest, no folder": {"[plugins]\nA = \"nyash_box.toml\"", "nyash_box.toml", "nyash_box.toml"},
		"missing manifest, path key":  {"[libraries.\"libnyash_one_plugin.so\"]\npath = \"one/nyash_box.toml\"\nboxes = [\"A\"]", "libnyash_one_plugin.so", "one/nyash_box.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), []byte(head+tt.text))
			require.NoError(t, err)
			_, err = c.Find(box(t, c, "A").Library)
			require.ErrorIs(t, err, fs.ErrNotExist)
			assert.ErrorContains(t, err, fmt.Sprintf("library %s not found: there is no %s; correct the path", tt.library, filepath.Join(dir, tt.path)))
			assert.NotContains(t, err.Error(), "tried")
		})
	}
}

// boxes makes a file of n boxes with four methods each.
func boxes(n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `[plugins.Box%d]
library = "nyash-filebox-plugin"
type_id = %d

[plugins.Box%d.methods]
open  = { method_id = 1, args = [ { name = "path", from = "string", to = "string" },
                                  { name = "mode", from = "string", to = "string" } ] }
read  = { method_id = 2, args = [], returns = "bytes" }
write = { method_id = 3, args = [ { name = "data", from = "string", to = "bytes" } ], returns = "i32" }
close = { method_id = 4, args = [], returns = "void" }

`, i, i+1, i)
	}
	return []byte(b.String())
}

func TestIsolation(t *testing.T) {
	c := parse(t, `[plugins.A]
library = "x"
isolation = "process"
restart = { max = 2, within = "10s" }
limits = { memory = "256MiB", open_files = 64, cpu_time = "10s", cpu_total = "1h", processes = 0 }
call_timeout = "5s"
load_timeout = "90s"
cancel_grace = "0s"
idle_timeout = "10m"
env = ["HOME"]
working_directory = "run"
[libraries."liby.so"]
boxes = ["B"]
call_timeout = "1s"
`)
	memory, files, cpu, total, processes := uint64(256<<20), uint64(64), 10*time.Second, time.Hour, uint64(0)
	a := c.Libraries[0]
	assert.Equal(t, registry.IsolationProcess, a.Isolation)
	assert.Equal(t, registry.Process{
		Restart:     registry.Restart{Max: 2, Within: 10 * time.Second, Backoff: 50 * time.Millisecond},
		Limits:      registry.Limits{Memory: &memory, OpenFiles: &files, CPUTime: &cpu, CPUTotal: &total, Processes: &processes},
		CallTimeout: 5 * time.Second,
		LoadTimeout: 90 * time.Second,
		CancelGrace: 0,
		IdleTimeout: 10 * time.Minute,
		Env:         []string{"HOME"},
		Dir:         "run",
	}, a.Process)
	b := c.Libraries[1]
	assert.Equal(t, registry.IsolationNone, b.Isolation)
	assert.Equal(t, registry.Process{
		Restart:     registry.Restart{Max: 5, Within: time.Minute, Backoff: 50 * time.Millisecond},
		CallTimeout: time.Second,
		LoadTimeout: 30 * time.Second,
		CancelGrace: 30 * time.Second,
	}, b.Process)
	require.Len(t, c.Warnings, 1)
	assert.EqualError(t, c.Warnings[0], `nyash.toml:14:1: libraries."liby.so".call_timeout: it has no effect on a plugin in the host's own process; add isolation = "process"`)
}

func TestEntriesOfOneLibrary(t *testing.T) {
	c := parse(t, `[plugins.A]
library = "x"
type_id = 1
threads = "serial"
isolation = "process"
restart = { max = 2, within = "10s" }
limits = { memory = "256MiB" }
[plugins.Other]
library = "y"
type_id = 1
[plugins.B]
threads = "serial"
restart = { max = 2, within = "10s" }
limits = { memory = "256MiB" }
env = []
library = "x"
type_id = 2
[plugins]
C = "x"
[libraries."x"]
boxes = ["D"]
threads = "serial"
`)
	var got []string
	for _, l := range c.Libraries {
		names := []string{l.Name, fmt.Sprint(l.Pos.Line), l.Threads.String(), l.Isolation.String()}
		for _, b := range l.Boxes {
			assert.Same(t, l, b.Library)
			names = append(names, b.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	assert.Equal(t, []string{"x 1 serial process A B C", "y 8 free none Other", "x 20 serial none D"}, got)
	require.Len(t, c.Boxes, 5)
	assert.Equal(t, "Other", c.Boxes[1].Name, "boxes are in the order of the file")
	assert.Empty(t, c.Warnings)
}

func BenchmarkParse1000Boxes(b *testing.B) {
	data := boxes(1000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Parse("nyash.toml", data); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/errors.toml", "testdata/public.toml", "../nyash.toml"} {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		for chunk := range strings.SplitSeq(string(data), "\n### ") {
			f.Add([]byte(chunk))
		}
	}
	for _, data := range registry.Suite(f) {
		f.Add(data)
	}
	disagreements := registry.Disagreements(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		registry.CheckOracle(t, disagreements, data)
		c, err := registry.Parse("nyash.toml", data)
		if err == nil {
			for _, b := range c.Boxes {
				_, _ = b.Bind(nil, abi.Description{})
			}
			for _, e := range c.CheckUses(nil) {
				require.NotEmpty(t, fmt.Sprintf("%+v", e))
			}
			require.Len(t, c.LoadOrder(), len(c.Libraries))
			return
		}
		var errs registry.Errors
		require.ErrorAs(t, err, &errs)
		lines := strings.Count(string(data), "\n") + 1
		for _, e := range errs {
			require.Positive(t, e.Line)
			require.LessOrEqual(t, e.Line, lines)
			require.Positive(t, e.Column)
			require.NotEmpty(t, e.Msg)
			require.NotEmpty(t, fmt.Sprintf("%+v", e))
		}
	})
}
