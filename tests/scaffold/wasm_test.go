package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// modules are the languages whose modules can be made here: Rust where its library for the target
// is, Zig where Zig is, and both only with the other slow compilers.
func modules(t *testing.T) []string {
	all := []string{"c"}
	if !whole {
		return all
	}
	sysroot, err := exec.Command("rustc", "--print", "target-libdir", "--target", "wasm32-wasip1").Output()
	if _, statErr := os.Stat(strings.TrimSpace(string(sysroot))); err == nil && statErr == nil {
		all = append(all, "rust")
	} else {
		t.Log("Rust is not tested: its library for wasm32-wasip1 is not here")
	}
	if hasZig() {
		all = append(all, "zig")
	}
	return all
}

// TestWasmFromNothing makes a module of the new plugin, runs its script with it, and tests it.
func TestWasmFromNothing(t *testing.T) {
	for _, language := range modules(t) {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			a := newAuthor(t)
			a.run(t, "", "nyash", "new", "MyBox", "--lang", language, "--wasm")
			if language == "c" { // Zig's linker refuses the flag
				out, _ := a.run(t, "my-box", "make", "-n", "wasm", "WASM_CC=python3 -m ziglang cc -target wasm32-wasi")
				assert.NotContains(t, out, "--stack-first")
				out, _ = a.run(t, "my-box", "make", "-n", "wasm")
				assert.Contains(t, out, "-Wl,--stack-first -Wl,-z,stack-size=262144 ")
			}
			out, _ := a.run(t, "my-box", "make", "wasm-test", "FLAGS=--for 500ms")
			assert.Contains(t, out, ": no findings, ")
			assert.Contains(t, out, "valgrind does not see into a module")

			// As the comment in nyash.toml says.
			file := filepath.Join(a.dir, "my-box", "nyash.toml")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			lines := strings.Split(string(text), "\n")
			var kept []string
			for _, line := range lines {
				if !strings.HasPrefix(line, "MyBox = ") {
					kept = append(kept, strings.Replace(line, "# MyBox = ", "MyBox = ", 1))
				}
			}
			require.Contains(t, kept, `MyBox = "build/my-box-plugin.wasm"`)
			require.NoError(t, os.WriteFile(file, []byte(strings.Join(kept, "\n")), 0o644))
			out, _ = a.run(t, "my-box", "nyash", "run", "example.star")
			assert.Equal(t, "42\ncount: 42\nMyBox.label: invalid arguments (-4): a label has at most 100 bytes, not 200\n", out)
		})
	}
}
