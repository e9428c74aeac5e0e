package ccbuild

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// built has what this process has compiled from files of the repository, by the command
// without its output: tests of one package want the same few plugins again and again.
var built sync.Map // string → *product

type product struct {
	once   sync.Once
	binary []byte
}

// build runs a compiler to make out, or copies what the same command has made before.
func build(t testing.TB, out, tool, source string, args []string) {
	t.Helper()
	if !fixed(t, source, args) {
		Run(t, tool, append([]string{"-o", out}, args...)...)
		return
	}
	made, _ := built.LoadOrStore(strings.Join(append([]string{tool}, args...), "\x00"), new(product))
	p := made.(*product)
	p.once.Do(func() {
		file := filepath.Join(t.TempDir(), "built")
		Run(t, tool, append([]string{"-o", file}, args...)...)
		binary, err := os.ReadFile(file)
		require.NoError(t, err)
		p.binary = binary
	})
	require.NotEmpty(t, p.binary, "%s failed for an earlier test", tool)
	// A process may run the file that is there, which must not change.
	if err := os.Remove(out); err != nil {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	require.NoError(t, os.WriteFile(out, p.binary, 0o755))
}

// fixed reports whether no test writes what the compiler is to read.
func fixed(t testing.TB, source string, args []string) bool {
	t.Helper()
	source, err := filepath.Abs(source)
	require.NoError(t, err)
	root := Root(t) + string(filepath.Separator)
	if !strings.HasPrefix(source, root) {
		return false
	}
	for _, arg := range args {
		arg = strings.ReplaceAll(arg, root, "")
		if strings.Contains(arg, os.TempDir()+string(filepath.Separator)) && !strings.HasPrefix(arg, "-D") {
			return false
		}
	}
	return true
}
