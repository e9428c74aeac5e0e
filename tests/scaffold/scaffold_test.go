package scaffold

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader/worker"
)

// whole is whether the languages are tested whose compilers are slow, too, as
// `make languages` does.
var whole = os.Getenv("NYASH_TEST_LANGUAGES") == "all"

// bin is the folder of nyash and plugin-tester, once a test has wanted them.
var bin = filepath.Join(os.TempDir(), fmt.Sprintf("nyash-scaffold-%d", os.Getpid()))

func TestMain(m *testing.M) {
	worker.Main()
	status := m.Run()
	os.RemoveAll(bin)
	os.Exit(status)
}

var build = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), "./cmd/nyash", "./cmd/plugin-tester")
	cmd.Dir = filepath.Join(filepath.Dir(file), "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
})

// commands builds nyash and plugin-tester, and returns their folder.
func commands(t *testing.T) string {
	t.Helper()
	out, err := build()
	require.NoError(t, err, "%s", out)
	return bin
}

// author is a person with an empty folder, and nyash and plugin-tester in PATH.
type author struct{ dir string }

func newAuthor(t *testing.T) *author {
	t.Helper()
	commands(t)
	return &author{filepath.Join(t.TempDir(), "an empty folder")}
}

// run runs a command in a folder below the author's and returns what it printed,
// and how much processor time it took.
func (a *author) run(t *testing.T, dir, command string, args ...string) (out string, used time.Duration) {
	t.Helper()
	require.NoError(t, os.MkdirAll(a.dir, 0o755))
	if command == "nyash" || command == "plugin-tester" {
		command = filepath.Join(bin, command)
	}
	cmd := exec.Command(command, args...)
	cmd.Dir = filepath.Join(a.dir, dir)
	// The flags of a make that runs these tests are not for the author's.
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "MAKEFLAGS=", "MAKELEVEL=", "CARGO_TERM_COLOR=never")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", command, strings.Join(args, " "), text)
	return string(text), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// sources are the files that authors of each language change.
var sources = map[string]string{"c": "my_box.c", "cpp": "my_box.cpp", "rust": "src/lib.rs", "go": "main.go", "zig": "my_box.zig"}

// tested are the languages to try: Zig where it is there, because no package
// manager that .ci/setup knows has it.
func tested(t *testing.T) []string {
	all := []string{"c", "cpp", "rust"}
	if !whole {
		return all
	}
	all = append(all, "go")
	if !hasZig() {
		t.Log("Zig is not tested: neither zig nor python3's ziglang is here")
		return all
	}
	return append(all, "zig")
}

func hasZig() bool {
	_, err := exec.LookPath("zig")
	return err == nil || exec.Command("python3", "-m", "ziglang", "version").Run() == nil
}

// TestFromNothingToATestedPlugin does what `nyash new` says to do. In the sample valgrind sees the C
// plugin alone.
func TestFromNothingToATestedPlugin(t *testing.T) {
	for _, language := range tested(t) {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			a := newAuthor(t)
			flags := "FLAGS=--for 500ms"
			if !whole && language != "c" {
				flags += " --no-memcheck"
			}
			out, used := a.run(t, "", "nyash", "new", "MyBox", "--lang", language)
			assert.Contains(t, out, "  cd my-box\n  make ")
			assert.NotContains(t, out, "export PATH", "nyash is in PATH")
			assert.NotContains(t, out, "warning")
			for _, c := range []struct{ target, want string }{
				{"all", ""},
				{"run", "42\ncount: 42\nMyBox.label: invalid arguments (-4): a label has at most 100 bytes, not 200\n"},
				{"test", ": no findings ("},
				{"all", ""}, // of what is built already
			} {
				out, took := a.run(t, "my-box", "make", c.target, flags)
				used += took
				assert.Contains(t, out, c.want)
				assert.NotContains(t, out, "warning")
			}
			assert.Less(t, used, time.Minute, "processor time from nothing to a tested plugin")
			t.Logf("%v of processor time", used)
			text, err := os.ReadFile(filepath.Join(a.dir, "my-box", sources[language]))
			require.NoError(t, err)
			lines := regexp.MustCompile(`(?m)^.*\S.*$`).FindAllString(string(text), -1)
			assert.Less(t, len(lines), 40, "lines of the author's own")
			t.Logf("%d lines of the author's own", len(lines))
		})
	}
}

// TestTypeBoxFromNothing tests a plugin whose box has a table, too: in the sample one, by the checks
// that call its methods in every way, for the tables are the SDKs' and tests/sdk calls them.
func TestTypeBoxFromNothing(t *testing.T) {
	languages := []string{"c"}
	if whole {
		languages = append(languages, "cpp", "rust")
	}
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			a := newAuthor(t)
			a.run(t, "", "nyash", "new", "MyBox", "--lang", language, "--typebox")
			a.run(t, "my-box", "make")
			libraries, err := filepath.Glob(filepath.Join(a.dir, "my-box", "build", "*my_box_plugin.*"))
			require.NoError(t, err)
			require.Len(t, libraries, 1)
			tests := [][]string{{"typecheck"}, {"protocol"}}
			if whole {
				tests = [][]string{{"all", "--no-memcheck", "--for", "500ms"}}
			}
			for _, args := range tests {
				out, _ := a.run(t, "my-box", "plugin-tester", append(args, "--config", "nyash.toml", libraries[0])...)
				assert.Contains(t, out, ": no findings (")
			}
			out, _ := a.run(t, "my-box", "plugin-tester", "check", "--config", "nyash.toml", libraries[0])
			assert.Contains(t, out, "generation: four symbols, TypeBox tables")
		})
	}
}

// TestFormatted compares the templates with what the languages' own formatters
// make of them.
func TestFormatted(t *testing.T) {
	a := newAuthor(t)
	a.run(t, "", "nyash", "new", "MyBox", "--lang", "go", "go")
	out, _ := a.run(t, "go", "gofmt", "-l", ".")
	assert.Empty(t, out)
	a.run(t, "", "nyash", "new", "MyBox", "--lang", "rust", "rust")
	a.run(t, "rust", "rustfmt", "--edition", "2021", "--check", "src/lib.rs")
	if whole && hasZig() {
		a.run(t, "", "nyash", "new", "MyBox", "--lang", "zig", "zig")
		a.run(t, "zig", "sh", "-c", "$(command -v zig || echo python3 -m ziglang) fmt --check .")
	}
}

// TestCMake builds the projects that have a CMakeLists.txt with it, where it is.
func TestCMake(t *testing.T) {
	if _, err := exec.LookPath("cmake"); err != nil {
		t.Log("cmake is not here")
		return
	}
	a := newAuthor(t)
	for _, language := range []string{"c", "cpp"} {
		a.run(t, "", "nyash", "new", "MyBox", "--lang", language, language)
		a.run(t, language, "cmake", "-B", "build")
		a.run(t, language, "cmake", "--build", "build")
		out, _ := a.run(t, language, "nyash", "run", "example.star")
		assert.Contains(t, out, "count: 42")
	}
}

// TestHeaders: the author's own headers are a reason to build anew.
func TestHeaders(t *testing.T) {
	a := newAuthor(t)
	for language, header := range map[string]string{"c": "mine.h", "cpp": "mine.hpp"} {
		t.Run(language, func(t *testing.T) {
			a.run(t, "", "nyash", "new", "MyBox", "--lang", language, language)
			path := filepath.Join(a.dir, language, header)
			require.NoError(t, os.WriteFile(path, nil, 0o644))
			a.run(t, language, "make")
			a.run(t, language, "make", "--question")
			later := time.Now().Add(time.Minute)
			require.NoError(t, os.Chtimes(path, later, later))
			again := exec.Command("make", "--question")
			again.Dir, again.Env = filepath.Join(a.dir, language), append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
			assert.Error(t, again.Run())
		})
	}
}

// TestToolsThatAreMissing: the author learns what to install, and where the
// programs may be that make does not find.
func TestToolsThatAreMissing(t *testing.T) {
	a := newAuthor(t)
	maker, err := exec.LookPath("make")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(a.dir, 0o755))
	cmd := exec.Command(filepath.Join(bin, "nyash"), "new", "MyBox", "--lang", "c", "-l", "rust")
	cmd.Dir, cmd.Env = a.dir, []string{"PATH=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "export PATH=\"$PATH\":"+bin)
	assert.Contains(t, string(out), "warning: cargo, which the build needs, is not in PATH; to install it: https://rustup.rs")
	cmd = exec.Command(maker, "-o", "all", "run", "NYASH=no-such-nyash")
	cmd.Dir = filepath.Join(a.dir, "my-box")
	out, err = cmd.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "nyash is not in PATH: see README.md, or say where it is: make run NYASH=/path/to/nyash")
}
