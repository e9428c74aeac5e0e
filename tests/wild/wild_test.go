package wild

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

var update = flag.Bool("update", false, "write the golden files")

// whole is whether plugin-tester looks at all libraries in full, as `make wild` does.
var whole = os.Getenv("NYASH_TEST_WILD") == "all"

// builds is a folder for what several tests use.
var builds string

func TestMain(m *testing.M) {
	probe.Main()
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	builds, err = os.MkdirTemp("", "nyash-wild")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(builds)
	return m.Run()
}

var made struct {
	sync.Mutex
	by map[string]*sync.Once
}

// once builds a file of the folder the first time that a test wants it.
func once(t *testing.T, name string, build func(out string)) string {
	out := filepath.Join(builds, name)
	made.Lock()
	if made.by == nil {
		made.by = make(map[string]*sync.Once)
	}
	if made.by[name] == nil {
		made.by[name] = new(sync.Once)
	}
	o := made.by[name]
	made.Unlock()
	o.Do(func() { build(out) })
	require.FileExists(t, out)
	return out
}

// nyash is the command.
func nyash(t *testing.T) string {
	return once(t, "nyash.exe", func(out string) {
		build := exec.Command("go", "build", "-o", out, "./cmd/nyash")
		build.Dir = ccbuild.Root(t)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		text, err := build.CombinedOutput()
		require.NoError(t, err, "%s", text)
	})
}

// library builds a source of testdata with flags.
func library(t *testing.T, source string, flags ...string) string {
	name := strings.NewReplacer("/", "-", "\"", "", " ", "").Replace(strings.Join(append([]string{source}, flags...), ""))
	// In a folder of its own: rustc writes more than the library.
	return once(t, filepath.Join(name, "library.so"), func(out string) {
		require.NoError(t, os.Mkdir(filepath.Dir(out), 0o700))
		source := filepath.Join("testdata", source)
		if filepath.Ext(source) == ".rs" {
			ccbuild.Run(t, "rustc", append([]string{"--edition=2021", "-Dwarnings", "-Cpanic=abort", "-Copt-level=1", "-o", out, source}, flags...)...)
			return
		}
		ccbuild.LibraryAt(t, out, source, append([]string{"-std=gnu11", "-fvisibility=hidden"}, flags...)...)
	})
}

// lib is a library of a case, in its folder.
type lib struct {
	file   string
	source string
	flags  []string
}

// program is a host's nyash.toml with the libraries that it names.
type program struct {
	name       string
	dir        string // of testdata
	libs       []lib
	toml       string
	manifest   string // that lies there as nyash_box.toml; empty for none
	script     string // use.star unless it says something else
	generation string // as `nyash list` shows it
	sample     bool   // plugin-tester looks at it in the sample
}

var text = lib{file: "libtext.so", source: "text/text.c"}

var programs = []program{
	{name: "text, four symbols", dir: "text", libs: []lib{text}, toml: "four.toml", generation: "four symbols"},
	{name: "text, invoke only", dir: "text", libs: []lib{{"libtext.so", "text/text.c", []string{"-DINVOKE_ONLY", "-DBIRTH_HANDLE"}}}, toml: "invoke.toml", generation: "invoke only", sample: true},
	{name: "text, tables", dir: "text", libs: []lib{{"libtext.so", "text/text.c", []string{"-DTABLES"}}}, toml: "tables.toml", manifest: "tables_manifest.toml", generation: "TypeBox tables", sample: true},
	{name: "text, defaults", dir: "text", libs: []lib{{"libtext.so", "text/text.c", []string{"-DTABLES"}}}, toml: "tables.toml", manifest: "tables_manifest.toml", script: "defaults.star", generation: "TypeBox tables"},

	{name: "map, four symbols", dir: "map", libs: []lib{{"libmap.so", "map/map.rs", nil}}, toml: "four.toml", generation: "four symbols"},
	{name: "map, invoke only", dir: "map", libs: []lib{{"libmap.so", "map/map.rs", []string{"--cfg=invoke_only", "--cfg=birth_handle"}}}, toml: "invoke.toml", generation: "invoke only"},
	{name: "map, tables", dir: "map", libs: []lib{{"libmap.so", "map/map.rs", []string{"--cfg=tables"}}}, toml: "tables.toml", generation: "TypeBox tables"},

	{name: "http, four symbols", dir: "http", libs: []lib{{"libhttp.so", "http/http.c", nil}}, toml: "four.toml", generation: "four symbols"},
	{name: "http, invoke only", dir: "http", libs: []lib{{"libhttp.so", "http/http.c", []string{"-DINVOKE_ONLY"}}}, toml: "invoke.toml", generation: "invoke only"},
	{name: "http, tables", dir: "http", libs: []lib{{"build/libhttp.so", "http/http.c", []string{"-DTABLES"}}}, toml: "tables.toml", manifest: "tables_manifest.toml", generation: "TypeBox tables"},

	{name: "I32 and a shared type_id", dir: "array", libs: []lib{{"libarray.so", "array/array.c", nil}, text}, toml: "nyash.toml", generation: "invoke only"},
	{name: "a handle that is kept", dir: "keeper", libs: []lib{{"libkeeper.so", "keeper/keeper.c", nil}, text}, toml: "nyash.toml", generation: "four symbols"},
	{name: "a table that ends early", dir: "note", libs: []lib{{"libnote.so", "note/note.c", nil}}, toml: "nyash.toml", generation: "TypeBox tables"},
	{name: "a table of a newer author", dir: "note", libs: []lib{{"libnote.so", "note/note.c", []string{"-DLONG"}}}, toml: "nyash.toml", generation: "TypeBox tables"},
}

// place puts a program's files into a folder, and returns that.
func (p *program) place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"nyash.toml": filepath.Join("testdata", p.dir, p.toml)}
	if p.manifest != "" {
		files[registry.ManifestName] = filepath.Join("testdata", p.dir, p.manifest)
	}
	for _, l := range p.libs {
		files[l.file] = library(t, l.source, l.flags...)
	}
	for name, from := range files {
		copyFile(t, filepath.Join(dir, name), from)
	}
	return dir
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.Create(to)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, errors.Join(err, out.Close()))
}

// ways are the flags for each way to reach a plugin.
var ways = map[string][]string{
	"in process":  {"--isolation", "none"},
	"over memory": {"--isolation", "process", "--channel", "memory"},
	"over pipes":  {"--isolation", "process", "--channel", "pipe"},
}

// command runs the nyash command in a folder and returns what it printed.
func command(t *testing.T, dir string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(nyash(t), args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// TestScripts runs each program's script, which prints the same in all ways and for all
// generations of a library.
func TestScripts(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir := p.place(t)
			name := "use.star"
			if p.script != "" {
				name = p.script
			}
			script := filepath.Join(absolute(t, "testdata"), p.dir, name)
			golden := strings.TrimSuffix(script, ".star") + ".txt"
			for way, flags := range ways {
				got, stderr, err := command(t, dir, append(flags, "--log-level", "error", "run", script)...)
				require.NoError(t, err, "%s: %s%s", way, got, stderr)
				assert.Empty(t, stderr, way)
				if *update {
					require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				assert.Equal(t, string(want), got, way)
			}
		})
	}
}

// TestGenerations has `nyash list` say how each library is called.
func TestGenerations(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			stdout, _, _ := command(t, p.place(t), "list", "--json") // the mistakes of one nyash.toml are its errors
			var list struct {
				Boxes []struct {
					Library, Generation, Error string
					Builtin                    bool
				}
			}
			require.NoError(t, json.Unmarshal([]byte(stdout), &list))
			boxes := list.Boxes
			require.NotEmpty(t, boxes)
			assert.Equal(t, p.generation, boxes[0].Generation)
			for _, b := range boxes {
				if b.Builtin || b.Error != "" {
					assert.Empty(t, b.Generation)
				}
			}
		})
	}
}

// TestInspect: nyash inspect reads tables, with the manifest beside them, and writes an
// entry that loads.
func TestInspect(t *testing.T) {
	i := slices.IndexFunc(programs, func(p program) bool { return p.name == "text, tables" })
	dir := programs[i].place(t)
	stdout, _, err := command(t, dir, "inspect", "./libtext.so")
	require.NoError(t, err)
	for _, text := range []string{"generation  TypeBox tables", "TextBox, type 61", "append(other box→handle) → void", "pad(width integer→i64 = 20"} {
		assert.Contains(t, stdout, text)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "nyash_box.toml")))
	stdout, _, err = command(t, dir, "inspect", "./libtext.so")
	require.NoError(t, err)
	assert.Contains(t, stdout, "manifest    none: there is no ")
	assert.Contains(t, stdout, "TextBox")
}

// note is a nyash.toml for the library of note/note.c, and noteManifest one for a manifest.
const (
	note = `[plugins.NoteBox]
library = "./libnote.so"
type_id = 11
methods = { write = { method_id = 1 }, read = { method_id = 2 } }
`
	short        = "[plugins]\nNoteBox = \"./libnote.so\"\n"
	noteManifest = `[provides]
boxes = ["NoteBox"]
[NoteBox]
type_id = 11
`
)

// The libraries and files that are wrong, and the rule that their error names.
func TestWrong(t *testing.T) {
	noteLibrary := func(flags ...string) []lib { return []lib{{"libnote.so", "note/note.c", flags}} }
	http := []lib{{"libhttp.so", "http/http.c", []string{"-DTABLES"}}}
	tests := []struct {
		name           string
		libs           []lib
		toml, manifest string
		box            string
		want           string
	}{
		{"abi_tag", noteLibrary("-DTAG=0x54595042"), note, "", "NoteBox", "nyash_typebox_NoteBox: its abi_tag is 0x54595042, and a table's is 0x54594258"},
		{"version", noteLibrary("-DVERSION=2"), note, "", "NoteBox", "nyash_typebox_NoteBox: its version is 2, and this host reads version 1"},
		{"struct_size", noteLibrary("-DSHORTER"), note, "", "NoteBox", "nyash_typebox_NoteBox: its struct_size is 24, which leaves out invoke_id: a table has at least 32 bytes"},
		{"another name", noteLibrary("-DNAME=\"MemoBox\""), note, "", "NoteBox", `nyash_typebox_NoteBox: its name is "MemoBox", and its symbol says NoteBox`},
		{"a name for a terminal", noteLibrary("-DNAME=\"\\033[31m\""), note, "", "NoteBox", `its name is "\x1b[31m", and its symbol says NoteBox`},
		{"no name", noteLibrary("-DNAME=NULL"), note, "", "NoteBox", "nyash_typebox_NoteBox: its name: address 0x0 cannot be read"},
		{"no invoke_id", noteLibrary("-DINVOKE_ID=NULL"), note, "", "NoteBox", "nyash_typebox_NoteBox: its invoke_id is NULL"},
		{"another symbol", noteLibrary("-DSYMBOL=nyash_typebox_MemoBox"), note, "", "NoteBox",
			`nyash.toml:1:10: plugins.NoteBox: the library has no table nyash_typebox_NoteBox; it has MemoBox`},
		{"another symbol, libraries form", noteLibrary("-DSYMBOL=nyash_typebox_MemoBox"), "[libraries.\"libnote.so\"]\nboxes = [\"NoteBox\"]\n", "", "NoteBox",
			`nyash.toml:2:1: libraries."libnote.so".NoteBox: the library has no table nyash_typebox_NoteBox; it has MemoBox`},

		{"no resolve, and no id", noteLibrary(), "[plugins.NoteBox]\nlibrary = \"./libnote.so\"\ntype_id = 11\nmethods = { read = {} }\n", "", "NoteBox",
			"nyash.toml:4:13: plugins.NoteBox.methods.read: its method_id is not known: neither nyash.toml nor a nyash_box.toml gives one, and the library's table does not know the name"},
		{"no manifest", noteLibrary(), short, "", "NoteBox", "its type_id is not known: nyash.toml gives none, and there is no "},
		{"no type_id in the manifest", noteLibrary(), short, "[provides]\nboxes = [\"NoteBox\"]\n[NoteBox]\n", "NoteBox", "nyash_box.toml:3:2: NoteBox: it has no type_id, and nyash.toml gives none"},
		{"another library's manifest", noteLibrary(), short, "[provides]\nboxes = [\"MemoBox\"]\n", "NoteBox", "/nyash_box.toml has no NoteBox"},
		{"a manifest that is not there", noteLibrary(), "[plugins]\nNoteBox = \"./note/nyash_box.toml\"\n", "", "NoteBox", "library ./note/nyash_box.toml not found: there is no "},
		{"a manifest that is not there, libraries form", noteLibrary(), "[libraries.note]\nboxes = [\"NoteBox\"]\npath = \"./note/nyash_box.toml\"\n", "", "NoteBox", "library note not found: there is no "},
		{"a box that the library lacks", http, "[plugins]\nServerBox = \"./libhttp.so\"\nProxyBox = \"./libhttp.so\"\n", "[provides]\nboxes = [\"ServerBox\"]\n[ServerBox]\ntype_id = 70\n", "ProxyBox",
			"the library has no box ProxyBox: it exports neither nyash_typebox_ProxyBox nor nyash_plugin_invoke"},
		{"a mistake in the manifest", noteLibrary(), short, noteManifest + "methods = { read = { id = 2, args = 5 } }\n", "NoteBox",
			"nyash_box.toml:5:37: NoteBox.methods.read.args: it must be an array, and this is an integer"},
		{"a manifest that is not TOML", noteLibrary(), note, "[provides\n", "NoteBox", "nyash_box.toml:1:10: not valid TOML"},
		{"a manifest for another system", noteLibrary(), "[plugins]\nNoteBox = \"./nyash_box.toml\"\n", noteManifest, "NoteBox", "nyash_box.toml names no library for " + runtime.GOOS + "; add [artifacts]"},
		{"a library that is not there", nil, "[plugins]\nNoteBox = \"./nyash_box.toml\"\n", noteManifest + "[artifacts]\nlinux = \"a/libnote.so\"\nmacos = \"a/libnote.so\"\n", "NoteBox",
			"libnote.so, which is not there; build it, or correct [artifacts]"},
		{"a type_id twice", http, "[libraries.\"libhttp.so\"]\nboxes = [\"ServerBox\", \"ClientBox\"]\n[libraries.\"libhttp.so\".ServerBox]\ntype_id = 70\n[libraries.\"libhttp.so\".ClientBox]\ntype_id = 70\n", "", "ClientBox",
			"nyash.toml:6:1: libraries.\"libhttp.so\".ClientBox.type_id: type_id 70 is ServerBox's already (line 4)"},
		{"a type_id twice, in the manifest", http, "[plugins]\nServerBox = \"./libhttp.so\"\nClientBox = \"./libhttp.so\"\n", "[provides]\nboxes = [\"ServerBox\", \"ClientBox\"]\n[ServerBox]\ntype_id = 70\n[ClientBox]\ntype_id = 70\n", "ClientBox",
			"nyash_box.toml:6:1: ClientBox.type_id: type_id 70 is ServerBox's already (line 4)"},
		{"a string for a method", []lib{{"libmap.so", "map/map.rs", []string{"--cfg=tables"}}}, "[libraries.\"libmap.so\".MapBox]\ntype_id = 62\nmethods = { get = \"get\" }\n", "", "MapBox",
			"nyash.toml:3:19: libraries.\"libmap.so\".MapBox.methods.get: it must be a table, and this is a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := program{libs: tt.libs}
			dir := t.TempDir()
			for _, l := range p.libs {
				copyFile(t, filepath.Join(dir, l.file), library(t, l.source, l.flags...))
			}
			write(t, dir, "nyash.toml", tt.toml)
			if tt.manifest != "" {
				write(t, dir, registry.ManifestName, tt.manifest)
			}
			write(t, dir, "use.star", tt.box+"()\n")
			for way, flags := range ways {
				_, stderr, err := command(t, dir, append(flags, "run", "use.star")...)
				require.Error(t, err, way)
				assert.Contains(t, unbroken(stderr), tt.want, way)
				assert.NotContains(t, stderr, "\x1b", way)
			}
			stdout, _, err := command(t, dir, "list")
			require.Error(t, err)
			assert.Contains(t, stdout, tt.want)
			if tt.box == "ClientBox" || tt.box == "ProxyBox" { // the other box works
				write(t, dir, "use.star", "ServerBox()\n")
				_, stderr, err := command(t, dir, "run", "use.star")
				require.NoError(t, err, stderr)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// unbroken joins an error that is shown with its line of the file.
var unbroken = strings.NewReplacer().Replace

// A manifest is none of the business of a library that has no tables.
func TestManifestBesideOthers(t *testing.T) {
	p := programs[0]
	dir := p.place(t)
	write(t, dir, registry.ManifestName, "[provides\n")
	_, stderr, err := command(t, dir, "run", filepath.Join(absolute(t, "testdata"), "text", "use.star"))
	require.NoError(t, err, stderr)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// TestTester has plugin-tester look at each library: all of it in `make wild`, and in the
// sample each method of three of them once.
func TestTester(t *testing.T) {
	for _, p := range programs {
		if p.script != "" || !whole && !p.sample {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir := p.place(t)
			toml := filepath.Join(dir, "nyash.toml")
			declared, err := registry.Load(toml)
			require.NoError(t, err)
			library := declared.Libraries[0]
			file, err := declared.Find(library)
			require.NoError(t, err)
			tester, err := plugintest.New(plugintest.Config{
				File: file, Library: library, TOML: toml, ManifestDir: declared.ManifestDir(library, file),
				Seed: 1, NoMemcheck: !whole, Worker: ccbuild.TestersWorker(t),
			})
			require.NoError(t, err)
			checks := []string{"check", "typecheck", "protocol"}
			if whole {
				report, err := tester.All(t.Context())
				require.NoError(t, err)
				assert.Empty(t, report.Findings)
				checks = checks[:1]
			}
			for _, check := range checks {
				report, err := tester.Run(t.Context(), check)
				require.NoError(t, err)
				assert.Empty(t, report.Findings)
				if check == "check" {
					assert.Contains(t, report.Checks[len(report.Checks)-1].Lines, "generation: "+p.generation)
				}
			}
		})
	}
}
