// Package ccbuild compiles the C that tests need: plugins, programs that print
// struct layouts, drivers. A missing compiler fails the test; it is one of the
// tools that the README lists. NYASH_TEST_CC names another C compiler than cc, for tests
// that were built for another processor and run in an emulator; NYASH_TEST_RUNNER is then
// the emulator's command line, for programs that the tests start (see [Command]).
package ccbuild

import (
	"cmp"
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

// Library compiles a C file, or a C++ file by its .cpp, into a shared library in a
// folder of the test's own and returns its path. The headers of plugins and of their
// SDKs are on the include path, and so is answer.h, which plugins of tests answer
// with; flags are added to the command line.
func Library(t testing.TB, source string, flags ...string) string {
	t.Helper()
	if Modules() && filepath.Ext(source) == ".c" {
		return Module(t, source, flags...)
	}
	return LibraryAt(t, filepath.Join(t.TempDir(), "lib"+name(source)+extension()), source, flags...)
}

// Modules reports whether Library makes WebAssembly modules of C: NYASH_TEST_TARGET=wasm has the
// same tests hold for them.
func Modules() bool { return os.Getenv("NYASH_TEST_TARGET") == "wasm" }

// LibraryAt is [Library] with a path to write to.
func LibraryAt(t testing.TB, out, source string, flags ...string) string {
	t.Helper()
	compile(t, out, source, append([]string{"-fPIC", "-shared"}, flags...))
	return out
}

// Plugin compiles a plugin of this repository that is written in C, as its Makefile
// does, and returns the library.
func Plugin(t testing.TB, name string) string {
	t.Helper()
	return PluginAt(t, filepath.Join(t.TempDir(), "lib"+name+extension()), name)
}

// PluginAt is [Plugin] with a path to write to.
func PluginAt(t testing.TB, out, name string) string {
	t.Helper()
	return LibraryAt(t, out, filepath.Join(Root(t), "plugins", name, name+".c"), "-fvisibility=hidden", "-lm")
}

// Program compiles a file as [Library] does, into a program.
func Program(t testing.TB, source string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name(source)+".exe") // which Windows wants
	compile(t, out, source, flags)
	return out
}

func compile(t testing.TB, out, source string, flags []string) {
	t.Helper()
	root := Root(t)
	compiler, std := cmp.Or(os.Getenv("NYASH_TEST_CC"), "cc"), "-std=c11"
	if filepath.Ext(source) == ".cpp" {
		compiler, std = "c++", "-std=c++17"
	}
	args := []string{std, "-g", "-O1", "-pthread", "-Wall", "-Wextra", "-Werror", "-I", filepath.Dir(source)}
	for _, folder := range []string{"abi/include", "plugins/sdk/c", "plugins/sdk/cpp", "tests/ccbuild/include"} {
		args = append(args, "-I", filepath.Join(root, folder))
	}
	build(t, out, compiler, source, append(append(args, source), flags...))
}

// name is a source's, without folder and extension.
func name(source string) string {
	return strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
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

// Command starts a program that was built for the tests' processor.
func Command(program string, args ...string) *exec.Cmd {
	line := append(strings.Fields(os.Getenv("NYASH_TEST_RUNNER")), program)
	return exec.Command(line[0], append(line[1:], args...)...)
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

// Module is [Library] for WebAssembly: it compiles a C file into a module for wasm32-wasi,
// as docs/wasm.md says.
func Module(t testing.TB, source string, flags ...string) string {
	t.Helper()
	return ModuleAt(t, filepath.Join(t.TempDir(), name(source)+".wasm"), source, flags...)
}

// ModuleAt is [Module] with a path to write to.
func ModuleAt(t testing.TB, out, source string, flags ...string) string {
	t.Helper()
	root := Root(t)
	args := []string{
		"--target=wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror",
		"-Wl,--stack-first,-z,stack-size=65536,--strip-debug", "-I", filepath.Dir(source),
	}
	for _, folder := range []string{"abi/include", "plugins/sdk/c", "tests/ccbuild/include", "tests/ccbuild/wasm"} {
		args = append(args, "-I", filepath.Join(root, folder))
	}
	build(t, out, "clang", source, append(append(args, source), flags...))
	return out
}

// ModuleSource compiles C that is given as text, as [Module] does.
func ModuleSource(t testing.TB, name, text string, flags ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".c")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	return Module(t, file, flags...)
}
