package sdk

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// plugins are those of this repository, with their boxes.
var plugins = map[string]struct {
	box     string
	library func(testing.TB) string
}{
	"filebox":     {"FileBox", fileBox},
	"mathbox":     {"MathBox", mathBox},
	"counter":     {"CounterBox", counterBox},
	"loganalyzer": {"LogAnalyzerBox", logAnalyzer},
}

// TestPlugins_Declared has nyash.toml and the README say of each plugin what the plugin
// says of itself.
func TestPlugins_Declared(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(ccbuild.Root(t), "nyash.toml"))
	require.NoError(t, err)
	for name, p := range plugins {
		t.Run(name, func(t *testing.T) {
			table := "[plugins." + p.box + "]\n"
			_, entry, found := strings.Cut(hosttest.PluginTOML(t, name, "nyash-"+name+"-plugin"), table) // behind what it uses
			require.True(t, found)
			assert.Contains(t, string(text), table+entry)
			library := p.library(t)
			description, err := registry.ParseDescription(name, describe(t, library))
			require.NoError(t, err)
			assert.Empty(t, description.Warnings)
			shown := signatures(t, hosttest.PluginTOML(t, name, library), p.box)
			described := signatures(t, declare(t, library), p.box)
			// Its argument may be left out, which a description cannot say.
			delete(shown, "exists")
			delete(described, "exists")
			assert.Equal(t, described, shown)
		})
	}
}

// signatures are those of a box's methods, by their names.
func signatures(t testing.TB, toml, box string) map[string]string {
	t.Helper()
	h := hosttest.OpenUnclosed(t, toml)
	typ, err := h.Type(ctx, box)
	require.NoError(t, err)
	require.NoError(t, h.Close()) // some libraries belong to one host at a time
	all := make(map[string]string)
	for _, m := range typ.Methods {
		all[m.Name] = fmt.Sprintf("%d %+v", m.ID, m.Signature)
	}
	return all
}

func TestMathBox(t *testing.T) {
	box := hosttest.New(t, hosttest.Open(t, hosttest.PluginTOML(t, "mathbox", mathBox(t))), "MathBox")
	const most, least = int64(math.MaxInt64), int64(math.MinInt64)
	for _, c := range []struct {
		method string
		args   []any
		want   any // or the error's text
	}{
		{"add", []any{2, 3}, int64(5)},
		{"add", []any{most, 1}, "overflow"},
		{"sub", []any{2, 3}, int64(-1)},
		{"sub", []any{least, 1}, "overflow"},
		{"mul", []any{-4, 3}, int64(-12)},
		{"mul", []any{most, 2}, "overflow"},
		{"div", []any{-7, 2}, int64(-3)},
		{"div", []any{7, 0}, "division by zero"},
		{"div", []any{least, -1}, "overflow"},
		{"mod", []any{-7, 2}, int64(-1)},
		{"mod", []any{least, -1}, int64(0)},
		{"mod", []any{7, 0}, "division by zero"},
		{"ipow", []any{-2, 63}, least},
		{"ipow", []any{2, 63}, "overflow"},
		{"ipow", []any{1, most}, int64(1)},
		{"ipow", []any{0, 0}, int64(1)},
		{"ipow", []any{2, -1}, "argument 2 (exponent): wanted 0 or more, got a negative number"},
		{"fadd", []any{0.5, 0.25}, 0.75},
		{"fsub", []any{0.5, 0.25}, 0.25},
		{"fmul", []any{math.MaxFloat64, 2.0}, "overflow"},
		{"fdiv", []any{1.0, 4.0}, 0.25},
		{"fdiv", []any{1.0, 0.0}, "division by zero"},
		{"pow", []any{2.0, 0.5}, math.Sqrt2},
		{"pow", []any{-2.0, 0.5}, "not a real number"},
		{"sqrt", []any{9.0}, 3.0},
		{"sqrt", []any{-1.0}, "not a real number"},
		{"exp", []any{0.0}, 1.0},
		{"exp", []any{1000.0}, "overflow"},
		{"log", []any{1.0}, 0.0},
		{"log", []any{0.0}, "the logarithm of zero"},
		{"fadd", []any{math.Inf(1), 1.0}, math.Inf(1)},
	} {
		r, err := box.Call(ctx, c.method, c.args...)
		if text, ok := c.want.(string); ok {
			assert.ErrorContains(t, err, text, "%s%v", c.method, c.args)
			continue
		}
		require.NoError(t, err, "%s%v", c.method, c.args)
		assert.Equal(t, c.want, r.Any(), "%s%v", c.method, c.args)
	}
}

func TestCounterBox(t *testing.T) {
	everywhere(t, counterBox(t), func(t *testing.T, toml string) {
		h := hosttest.Open(t, toml)
		box := hosttest.New(t, h, "CounterBox")
		assert.Same(t, box, hosttest.New(t, h, "CounterBox"), "it is a singleton")
		assert.Equal(t, int64(1), value(t, box, "inc", "a"))
		assert.Equal(t, int64(42), value(t, box, "add", "a", 41))
		value(t, box, "set", "b", -1)
		assert.Equal(t, "a\nb", value(t, box, "names"))
		assert.Equal(t, int64(42), value(t, box, "reset", "a"))
		assert.Equal(t, int64(0), value(t, box, "get", "a"))
		assert.Equal(t, "b", value(t, box, "names"))
		value(t, box, "set", "b", int64(math.MaxInt64))
		assert.Equal(t, "b: 9223372036854775807 and 1 do not fit 64 bits", fails(t, abi.ErrPlugin, box, "inc", "b"))
		assert.Equal(t, "a counter's name has 1 to 255 bytes and no control characters", fails(t, abi.ErrInvalidArgs, box, "inc", "a\nb"))
	})
}
