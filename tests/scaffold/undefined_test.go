//go:build !darwin && !windows

package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestUndefined: a function that is nowhere is the build's error, with make and with
// CMake, where it is. Sanitizers may leave theirs to the program.
func TestUndefined(t *testing.T) {
	a := newAuthor(t)
	for language, text := range map[string]string{
		"c":   "int nowhere(void);\n__attribute__((constructor)) static void call(void) { nowhere(); }\n",
		"cpp": "int nowhere();\nstatic const int called = nowhere();\n",
	} {
		if !whole && language != "c" {
			continue
		}
		t.Run(language, func(t *testing.T) {
			a.run(t, "", "nyash", "new", "MyBox", "--lang", language, language)
			dir := filepath.Join(a.dir, language)
			source := filepath.Join(dir, sources[language])
			have, err := os.ReadFile(source)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(source, append(have, text...), 0o644))
			builds := [][]string{{"make"}}
			if _, err := exec.LookPath("cmake"); err == nil {
				a.run(t, language, "cmake", "-B", "cmake")
				builds = append(builds, []string{"cmake", "--build", "cmake"})
			}
			for _, b := range builds {
				cmd := exec.Command(b[0], b[1:]...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
				out, err := cmd.CombinedOutput()
				assert.Error(t, err, "%v", b)
				assert.Contains(t, string(out), "nowhere", "%v", b)
			}
			a.run(t, language, "make", "LDFLAGS=-fsanitize=undefined")
		})
	}
}
