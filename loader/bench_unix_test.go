//go:build unix

package loader_test

import (
	"testing"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/require"
)

// BenchmarkSyscallN is the peer of BenchmarkCall: the bare call through purego.
func BenchmarkSyscallN(b *testing.B) {
	lib, err := purego.Dlopen(probeLibrary(b), purego.RTLD_NOW)
	require.NoError(b, err)
	invoke, err := purego.Dlsym(lib, "nyash_plugin_invoke")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		purego.SyscallN(invoke, 700, 17, 0, 0, 0, 0, 0)
	}
}
