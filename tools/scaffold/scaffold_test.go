package scaffold

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

var update = flag.Bool("update", false, "write the golden files")

func TestCheckName(t *testing.T) {
	for _, name := range []string{"MyBox", "A", "KeyValue2", "HTTPServer", "DB", strings.Repeat("X", maxName)} {
		assert.NoError(t, CheckName(name), name)
	}
	for _, c := range []struct{ name, wrong, proposed string }{
		{"", "the name is empty", "MyBox"},
		{"my-box", `not '-'`, "MyBox"},
		{"My Box", `not ' '`, "MyBox"},
		{"my_key.value", `not '_'`, "MyKeyValue"},
		{"counter", "begins with a capital letter", "Counter"},
		{"2Fast", "begins with a capital letter", "My2Fast"},
		{"Größe", `not 'ö'`, "Gre"},
		{"箱", `not '箱'`, "MyBox"},
		{"../Box", `not '.'`, "MyBox"},
		{"My\x1b[2J", `not '\x1b'`, "My2J"},
		{"\xff", `not '�'`, "MyBox"},
		{"FILE", "means something else", "MyFILE"},
		{"ConsoleBox", "means something else", "MyConsoleBox"},
		{"NyashBox", "means something else", "MyNyashBox"},
		{strings.Repeat("X", maxName+1), "at most 40 characters, this one has 41", strings.Repeat("X", maxName)},
	} {
		err := CheckName(c.name)
		assert.ErrorContains(t, err, c.wrong, "%q", c.name)
		assert.ErrorContains(t, err, "for example: "+c.proposed)
		assert.NoError(t, CheckName(c.proposed), "what is proposed is right")
	}
}

// TestBuiltInBoxesAreReserved: a library that has a box of that name as well would
// hide one of them.
func TestBuiltInBoxesAreReserved(t *testing.T) {
	config, err := registry.Parse("nyash.toml", nil)
	require.NoError(t, err)
	host, err := loader.OpenConfig(config, loader.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer host.Close()
	require.NotEmpty(t, host.Boxes())
	for _, name := range host.Boxes() {
		assert.Error(t, CheckName(name), name)
	}
}

func TestFolder(t *testing.T) {
	for name, want := range map[string]string{
		"MyBox": "my-box", "Counter": "counter", "HTTPServer": "http-server", "Box2D": "box2d",
		"KeyValue2Map": "key-value2-map", "DB": "db", "A": "a", "AB": "ab", "ABox": "a-box",
	} {
		assert.Equal(t, want, Folder(name))
	}
}

func TestParseLanguage(t *testing.T) {
	for _, id := range Languages() {
		l, err := ParseLanguage(id)
		require.NoError(t, err)
		assert.Equal(t, id, l.ID)
	}
	for id, want := range map[string]string{
		"":       "a language is missing: add --lang with c, cpp, rust, go or zig",
		"c++":    "--lang c++: write --lang cpp",
		"golang": "--lang golang: write --lang go",
		"cobol":  "--lang cobol: there is no template for it; write c, cpp, rust, go or zig",
	} {
		_, err := ParseLanguage(id)
		assert.EqualError(t, err, want)
	}
}

func project(t *testing.T, language string) []File {
	t.Helper()
	l, err := ParseLanguage(language)
	require.NoError(t, err)
	files, err := (&Project{Name: "MyBox", Language: l, Version: "v1.2.3"}).Files()
	require.NoError(t, err)
	return files
}

// TestFiles compares the lists of files with testdata/files.txt, and looks for
// what a template leaves behind.
func TestFiles(t *testing.T) {
	var list strings.Builder
	for _, language := range Languages() {
		fmt.Fprintf(&list, "%s\n", language)
		for _, f := range project(t, language) {
			fmt.Fprintf(&list, "  %s\n", f.Path)
			text := string(f.Data)
			assert.True(t, strings.HasSuffix(text, "\n") && !strings.HasSuffix(text, "\n\n"), "%s: %s ends with one line break", language, f.Path)
			if !strings.HasPrefix(f.Path, "sdk/") {
				assert.NotContains(t, text, "[[.", "%s: %s", language, f.Path)
				assert.NotContains(t, text, "\n\n\n", "%s: %s", language, f.Path)
			}
			if strings.Contains(text, "go install") {
				assert.Contains(t, text, "nyash-go/cmd/...@v1.2.3", "%s: %s", language, f.Path)
			}
		}
	}
	golden := filepath.Join("testdata", "files.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(list.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), list.String(), "run the test with -update, and look at the difference")
}

// TestNyashTOML: the registry reads what the projects have, and finds a library
// of any platform.
func TestNyashTOML(t *testing.T) {
	for _, language := range Languages() {
		dir := filepath.Join(t.TempDir(), "p")
		require.NoError(t, Write(dir, project(t, language)))
		config, err := registry.Load(filepath.Join(dir, "nyash.toml"))
		require.NoError(t, err)
		assert.Empty(t, config.Warnings)
		box, ok := config.Box("MyBox")
		require.True(t, ok)
		_, err = config.Find(box.Library)
		assert.ErrorContains(t, err, filepath.Join(dir, "build", "libmy_box_plugin.so"))
	}
}

func TestFilesOfABadName(t *testing.T) {
	l, err := ParseLanguage("c")
	require.NoError(t, err)
	_, err = (&Project{Name: "my-box", Language: l}).Files()
	assert.ErrorContains(t, err, "for example: MyBox")
}

var some = []File{{"a.txt", []byte("a")}, {"b/c.txt", []byte("c")}}

// tree are the files below a folder, with their contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil && info.IsDir() {
			all[filepath.ToSlash(name)+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return all
}

var whole = map[string]string{"a.txt": "a", "b/": "", "b/c.txt": "c"}

func TestWrite(t *testing.T) {
	parent := t.TempDir()
	require.NoError(t, Write(filepath.Join(parent, "new"), some))
	assert.Equal(t, whole, tree(t, filepath.Join(parent, "new")))

	require.NoError(t, os.Mkdir(filepath.Join(parent, "empty"), 0o755))
	require.NoError(t, Write(filepath.Join(parent, "empty"), some))
	assert.Equal(t, whole, tree(t, filepath.Join(parent, "empty")))

	require.NoError(t, os.Mkdir(filepath.Join(parent, "current"), 0o755))
	t.Chdir(filepath.Join(parent, "current"))
	require.NoError(t, Write(".", some))
	assert.Equal(t, whole, tree(t, "."), "the current folder is filled, not replaced")

	require.NoError(t, Write("relative", some))
	assert.Equal(t, whole, tree(t, "relative"))
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Len(t, left, 3, "nothing temporary is left")
}

func TestWriteNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "full"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "full", "mine.txt"), []byte("mine"), 0o644))
	before := tree(t, dir)
	impossible := append([]File{{"a.txt/b", nil}}, some...) // a.txt is a folder by then
	for _, c := range []struct {
		name, dir string
		files     []File
		want      string
	}{
		{"not empty", "full", some, "full: the folder is not empty; name another one"},
		{"a file", "full/mine.txt", some, "it is a file, or lies in one; name another folder"},
		{"in a file", "full/mine.txt/deeper", some, "it is a file, or lies in one; name another folder"},
		{"no parent", "no/such", some, "does not exist; make it first"},
		{"a write that fails, new folder", "new", impossible, "write the project: "},
		{"a write that fails, empty folder", "empty", impossible, "write the project: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Write(filepath.Join(dir, filepath.FromSlash(c.dir)), c.files)
			assert.ErrorContains(t, err, c.want)
			var folder *FolderError
			assert.Equal(t, !strings.HasPrefix(c.want, "write"), errors.As(err, &folder))
			assert.NotContains(t, fmt.Sprint(err), ".nyash-new-", "names what the author knows")
			assert.Equal(t, before, tree(t, dir), "nothing is written")
		})
	}
}

func TestMissing(t *testing.T) {
	for _, tool := range []string{"CC", "CXX", "CARGO", "GO", "ZIG"} {
		t.Setenv(tool, "")
	}
	t.Setenv("PATH", t.TempDir())
	for language, want := range map[string][]string{
		"c":    {"cc, which the build needs, is not in PATH; to install it: Debian"},
		"cpp":  {"c++, which"},
		"rust": {"cargo, which"},
		"go":   {"go, which", "cc, which"},
		"zig":  {"zig, which"},
	} {
		l, err := ParseLanguage(language)
		require.NoError(t, err)
		missing := (&Project{Language: l}).Missing()
		require.Len(t, missing, len(want))
		for i := range want {
			assert.True(t, strings.HasPrefix(missing[i], want[i]), missing[i])
			assert.NotContains(t, missing[i], "\n")
		}
	}
	c, err := ParseLanguage("c")
	require.NoError(t, err)
	t.Setenv("CC", "no-such-compiler -m64")
	assert.True(t, strings.HasPrefix((&Project{Language: c}).Missing()[0], "no-such-compiler, which"))
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv("CC", self+" -m64")
	assert.Empty(t, (&Project{Language: c}).Missing())
}

// TestTheSDKIsTheRepositorys: what an author gets is what the tests of the SDKs
// test.
func TestTheSDKIsTheRepositorys(t *testing.T) {
	for language, dir := range map[string]string{"rust": "../../plugins/sdk/rust", "c": "../../plugins/sdk/c"} {
		found := 0
		for _, f := range project(t, language) {
			name, ok := strings.CutPrefix(f.Path, "sdk/")
			if !ok {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			found++
			assert.True(t, bytes.Equal(data, f.Data), f.Path)
		}
		assert.NotZero(t, found)
	}
}

func TestFiles_TypeBox(t *testing.T) {
	for lang, line := range map[string]string{
		"c": "NYASH_PLUGIN(&box)\nNYASH_TYPEBOX(TabBox, box)\n", "cpp": "NYASH_PLUGIN(&box)\nNYASH_TYPEBOX(TabBox, box)\n", "rust": "}\n\nnyash::typebox!(TabBox);\n",
	} {
		for _, with := range []bool{true, false} {
			language, err := ParseLanguage(lang)
			require.NoError(t, err)
			files, err := (&Project{Name: "TabBox", Language: language, TypeBox: with}).Files()
			require.NoError(t, err)
			has := slices.ContainsFunc(files, func(f File) bool { return strings.HasSuffix(string(f.Data), line) })
			assert.Equal(t, with, has, lang)
		}
	}
	language, err := ParseLanguage("go")
	require.NoError(t, err)
	_, err = (&Project{Name: "TabBox", Language: language, TypeBox: true}).Files()
	require.EqualError(t, err, "the SDK for Go exports no TypeBox tables; --typebox goes with --lang c, cpp, rust")
}

// TestWasm: the templates have a module's lines only where they are wanted, and languages whose
// SDK makes none say why.
func TestWasm(t *testing.T) {
	for _, language := range Languages() {
		l, err := ParseLanguage(language)
		require.NoError(t, err)
		files, err := (&Project{Name: "MyBox", Language: l, Wasm: true}).Files()
		if !slices.Contains(wasmLanguages, language) {
			require.ErrorContains(t, err, "makes no WebAssembly modules (")
			continue
		}
		require.NoError(t, err)
		without := project(t, language)
		for _, name := range []string{"Makefile", "nyash.toml", "README.md"} {
			i := slices.IndexFunc(files, func(f File) bool { return f.Path == name })
			assert.Contains(t, strings.ToLower(string(files[i].Data)), "wasm", "%s: %s", language, name)
			assert.NotContains(t, strings.ToLower(string(without[i].Data)), "wasm", "%s: %s", language, name)
			assert.NotContains(t, string(files[i].Data), "[[.", "%s: %s", language, name)
			assert.NotContains(t, string(files[i].Data), "\n\n\n", "%s: %s", language, name)
		}
	}
}

// TestWasm_Missing: what make wasm needs and is not there is said.
func TestWasm_Missing(t *testing.T) {
	bin := t.TempDir()
	tool := func(name, script string) {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	t.Setenv("PATH", bin)
	tool("cc", "")
	tool("cargo", "")
	tool("rustc", "echo "+filepath.Join(bin, "nowhere"))
	for id, want := range map[string]string{
		"c":    "clang, which the build needs, is not in PATH; to install it: Debian, Ubuntu: apt install clang lld wasi-libc libclang-rt-dev-wasm32; or pip install ziglang",
		"rust": "rustc has no library for wasm32-wasip1, which make wasm needs; to install it: rustup target add wasm32-wasip1",
	} {
		l, err := ParseLanguage(id)
		require.NoError(t, err)
		assert.Equal(t, []string{want}, (&Project{Language: l, Wasm: true}).Missing())
		assert.Empty(t, (&Project{Language: l}).Missing())
	}
	tool("rustc", "echo "+bin)
	l, err := ParseLanguage("rust")
	require.NoError(t, err)
	assert.Empty(t, (&Project{Language: l, Wasm: true}).Missing())
}
