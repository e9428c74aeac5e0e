package abi_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// A plugin must be able to include the header whatever standard it is written
// to, and with every warning an error.
func TestHeaderCompilesClean(t *testing.T) {
	tests := []struct {
		name, compiler, standard, file string
	}{
		{"C99", "cc", "c99", "plugin.c"},
		{"C11", "cc", "c11", "plugin.c"},
		{"C++11", "c++", "c++11", "plugin.cc"},
		{"C++17", "c++", "c++17", "plugin.cc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), tt.file)
			require.NoError(t, os.WriteFile(source, []byte("#include \"nyash_plugin.h\"\n"), 0o644))
			ccbuild.Run(t, tt.compiler, "-std="+tt.standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror",
				"-fsyntax-only", "-I", filepath.Join(ccbuild.Root(t), "abi", "include"), source)
		})
	}
}
