// Package ccbuild compiles the C that tests need: plugins, programs that print
// struct layouts, drivers. A missing compiler fails the test; it is one of the
// tools that the README lists.
package ccbuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Root returns the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	require.True(t, ok, "find the source of package ccbuild")
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Library compiles a C file into a shared library in a folder of the test's
// own and returns its path. The plugin header is on the include path; flags
// are added to the command line.
func Library(t testing.TB, source string, flags ...string) string {
	t.Helper()
	name := "lib" + strings.TrimSuffix(filepath.Base(source), ".c") + extension()
	return LibraryAt(t, filepath.Join(t.TempDir(), name), source, flags...)
}

// LibraryAt is [Library] with a path to write to.
func LibraryAt(t testing.TB, out, source string, flags ...string) string {
	t.Helper()
	args := []string{"-std=c11", "-g", "-O1", "-fPIC", "-shared", "-pthread",
		"-Wall", "-Wextra", "-Werror", "-I", filepath.Dir(source), "-I", filepath.Join(Root(t), "abi", "include"),
		"-o", out, source}
	Run(t, "cc", append(args, flags...)...)
	return out
}

// Source compiles C that is given as text, as [Library] does.
func Source(t testing.TB, name, text string, flags ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".c")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	return Library(t, file, flags...)
}

// Run runs a tool that the test cannot do without and returns what it printed.
func Run(t testing.TB, tool string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	require.NoError(t, err, "the tests need %s (see README.md); `make test` installs it", tool)
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s %s\n%s", tool, strings.Join(args, " "), out)
	return string(out)
}

func extension() string {
	switch runtime.GOOS {
	case "darwin":
		return ".dylib"
	case "windows":
		return ".dll"
	}
	return ".so"
}
