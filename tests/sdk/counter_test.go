package sdk

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// counters are the same plugin in each language.
var counters = map[string]struct {
	source  string // in the repository
	library func(testing.TB) string
	box     string
	tooMuch string // what an addition that does not fit is answered with
}{
	"C":    {"tests/sdk/testdata/counter.c", func(t testing.TB) string { return library(t, "counter.c") }, "Counter", "9223372036854775807 is too much"},
	"C++":  {"tests/sdk/testdata/counter.cpp", func(t testing.TB) string { return library(t, "counter.cpp") }, "Counter", "9223372036854775807 is too much"},
	"Rust": {"plugins/sdk/rust/examples/counter.rs", rustExample, "CounterBox", "42 and 9223372036854775807 are too much"},
}

var someText = regexp.MustCompile(`(?m)^.*\S.*$`)

func TestCounter_Short(t *testing.T) {
	for language, c := range counters {
		text, err := os.ReadFile(filepath.Join(ccbuild.Root(t), c.source))
		require.NoError(t, err)
		assert.Less(t, len(someText.FindAll(text, -1)), 40, language)
	}
}

// TestCounter_RustReadme: the README shows the whole example.
func TestCounter_RustReadme(t *testing.T) {
	code, err := os.ReadFile(filepath.Join(ccbuild.Root(t), counters["Rust"].source))
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(ccbuild.Root(t), sdkCrate, "README.md"))
	require.NoError(t, err)
	assert.True(t, bytes.Contains(readme, []byte("```rust\n"+string(code)+"```\n")))
}

func TestCounter_Calls(t *testing.T) {
	for language, c := range counters {
		t.Run(language, func(t *testing.T) {
			everywhere(t, c.library(t), func(t *testing.T, toml string) {
				h := hosttest.Open(t, toml)
				box, other := hosttest.New(t, h, c.box), hosttest.New(t, h, c.box)
				assert.EqualValues(t, 40, hosttest.CallInt(t, box, "add", 40))
				assert.EqualValues(t, 42, hosttest.CallInt(t, box, "add", 2))
				assert.Equal(t, c.tooMuch, fails(t, abi.ErrPlugin, box, "add", int64(math.MaxInt64)))
				assert.EqualValues(t, 42, hosttest.CallInt(t, box, "get"))
				assert.EqualValues(t, -1, hosttest.CallInt(t, other, "add", -1))

				var wg sync.WaitGroup // calls on one instance do not lose each other's effect
				for range 8 {
					wg.Go(func() {
						for range 500 {
							_, err := box.Call(ctx, "add", 1)
							assert.NoError(t, err)
						}
					})
				}
				wg.Wait()
				assert.EqualValues(t, 4042, hosttest.CallInt(t, box, "get"))
			})
		})
	}
}

func TestCounter_BirthWithArgument(t *testing.T) {
	for _, source := range []string{"counter.c", "counter.cpp"} {
		h := hosttest.Open(t, declare(t, library(t, source)))
		assert.EqualValues(t, 42, hosttest.CallInt(t, hosttest.New(t, h, "Counter", 40), "add", 2))
	}
}

// TestCounter_WrongArguments has a host whose nyash.toml declares other arguments than
// the plugin takes.
func TestCounter_WrongArguments(t *testing.T) {
	for language, c := range counters {
		t.Run(language, func(t *testing.T) {
			box := hosttest.New(t, hosttest.Open(t, "[plugins."+c.box+"]\nlibrary = \""+c.library(t)+"\"\n"+
				"methods = { add = { args = [\"by\"] }, get = { args = [\"what\"] } }\n"), c.box)
			assert.Regexp(t, "^argument 1 \\(by\\): wanted i64.*, got string$", fails(t, abi.ErrInvalidArgs, box, "add", "3"))
			assert.Regexp(t, "(no|0) arguments, got 1$", fails(t, abi.ErrInvalidArgs, box, "get", 1))
			assert.EqualValues(t, 3, hosttest.CallInt(t, box, "add", 3))
		})
	}
}

// TestCounter_ShortForm has one line for nyash.toml.
func TestCounter_ShortForm(t *testing.T) {
	for language, c := range counters {
		t.Run(language, func(t *testing.T) {
			box := hosttest.New(t, hosttest.Open(t, "[plugins]\n"+c.box+" = \""+c.library(t)+"\"\n"), c.box)
			assert.EqualValues(t, 7, box.Type().ID)
			assert.EqualValues(t, 3, hosttest.CallInt(t, box, "add", 3))
			_, err := box.Call(ctx, "add", "3")
			require.ErrorContains(t, err, "argument 1 (by)")
		})
	}
}

// TestSelfDescription has the text that a host will read.
func TestSelfDescription(t *testing.T) {
	const want = `[plugins.Counter]
type_id = 7
doc = "A count."

[plugins.Counter.methods]
birth = { method_id = 0 }
add = { method_id = 1, args = [{ name = "by", from = "integer", to = "i64" }], returns = "i64", doc = "Adds to the count and returns it." }
get = { method_id = 2, args = [], returns = "i64", doc = "The count." }

`
	for _, source := range []string{"counter.c", "counter.cpp"} {
		assert.Equal(t, want, describe(t, library(t, source)), source)
	}
	text := describe(t, library(t, "all.c"))
	assert.Contains(t, text, `doc = "The sum, with \"quotes\", a \\ and\na line.\u0001"`)
	assert.Contains(t, text, "\n[plugins.\"Other Box\"]\ntype_id = 21\nsingleton = true\n")
	assert.Contains(t, text, "\ncount = { method_id = 8, returns = \"i64\" }\n")
	assert.Contains(t, text, `{ name = "e", from = "any", to = "f64", doc = "the fifth" }`)
}
