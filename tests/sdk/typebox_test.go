package sdk

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// withTypeBox compiles a counter of testdata with a TypeBox table beside its functions.
func withTypeBox(t testing.TB, source string) string {
	t.Helper()
	return once(source+" with a table", func() string {
		extension := filepath.Ext(source)
		text := fmt.Sprintf("#include %q\nNYASH_TYPEBOX(Counter, counter)\n", filepath.Join(ccbuild.Root(t), "tests/sdk/testdata", source))
		file := filepath.Join(builds, "tabled"+extension)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		flags := []string{pedantic, "-fvisibility=hidden"}
		if extension == ".c" {
			flags = append(flags, "-std=c99")
		}
		return ccbuild.LibraryAt(t, file+".so", file, flags...)
	})
}

// TestTypeBox calls what the SDKs export through the tables beside the four functions.
func TestTypeBox(t *testing.T) {
	for _, source := range []string{"counter.c", "counter.cpp"} {
		t.Run(source, func(t *testing.T) {
			everywhere(t, withTypeBox(t, source), func(t *testing.T, toml string) {
				box := hosttest.New(t, hosttest.Open(t, toml), "Counter", 40)
				assert.Equal(t, abi.TypeBoxes, box.Type().Generation)
				assert.Equal(t, int64(42), value(t, box, "add", 2))
				assert.Equal(t, int64(42), value(t, box, "get"))
				assert.Equal(t, "9223372036854775807 is too much", fails(t, abi.ErrPlugin, box, "add", int64(math.MaxInt64)))
			})
		})
	}

	// The table's box is the result and the argument of one that has none.
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		h := hosttest.Open(t, toml)
		sample := hosttest.New(t, h, "SampleBox")
		assert.Equal(t, abi.FourSymbols, sample.Type().Generation)
		part := boxOf(t, sample, "part", 3)
		assert.Equal(t, abi.TypeBoxes, part.Type().Generation)
		other := hosttest.New(t, h, "PartBox", 4)
		assert.Equal(t, int64(3), value(t, part, "value"))
		assert.Equal(t, int64(7), value(t, sample, "add", part, other))
	})
}

// TestTypeBox_Resolve has the tables tell the ids of methods.
func TestTypeBox_Resolve(t *testing.T) {
	driver := ccbuild.Program(t, "testdata/typebox.c", "-std=gnu11", "-ldl")
	for _, c := range []struct{ library, box, want string }{
		{withTypeBox(t, "counter.c"), "Counter", "add 1\nget 2\nbirth 0\nfini 0\nnothing 0\n"},
		{withTypeBox(t, "counter.cpp"), "Counter", "add 1\nget 2\nbirth 0\nfini 0\nnothing 0\n"},
		{samples(t), "PartBox", "value 1\nbirth 0\nfini 0\nnothing 0\n"},
	} {
		names := []string{c.library, c.box, "add", "get", "birth", "fini", "nothing"}
		if c.box == "PartBox" {
			names = []string{c.library, c.box, "value", "birth", "fini", "nothing"}
		}
		assert.Equal(t, c.want, ccbuild.Run(t, driver, names...))
	}
}
