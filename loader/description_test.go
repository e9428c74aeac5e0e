package loader_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// tallyText describes the box of testdata/described.c.
const tallyText = `
[plugins.TallyBox]
type_id = 7
doc = "Adds things up."

[plugins.TallyBox.methods]
add = { method_id = 1, args = [ { name = "n", from = "integer", to = "i64", doc = "what to add" } ], returns = "i64", doc = "Adds." }
pinned = { method_id = 2, args = [], returns = "i64" }
lines = { method_id = 3, args = [], returns = "blob" }
other = { method_id = 4, args = [], returns = "OtherBox" }

[plugins.OtherBox]
type_id = 8
methods = {}
`

// describedLibrary builds testdata/described.c with a text.
func describedLibrary(t testing.TB, text string, flags ...string) string {
	t.Helper()
	return ccbuild.Library(t, "testdata/described.c", append([]string{"-DTEXT=" + strconv.Quote(text)}, flags...)...)
}

func TestDescription_ShortForm(t *testing.T) {
	h := open(t, fmt.Sprintf("[plugins]\nTallyBox = %q\nOtherBox = %[1]q", describedLibrary(t, tallyText)))
	box := newBox(t, h, "TallyBox")
	assert.EqualValues(t, 5, callInt(t, box, "add", 5))
	_, err := box.Call(t.Context(), "add", "five")
	require.ErrorContains(t, err, "argument 1 (n)", "the arguments are checked before the call")

	r := hosttest.Call(t, box, "lines")
	blob, err := r.Blob()
	require.NoError(t, err)
	assert.Equal(t, "hello", string(blob.Bytes()))
	blob.Release()

	r = hosttest.Call(t, box, "other")
	other, err := r.Box()
	require.NoError(t, err)
	assert.Equal(t, "OtherBox", other.Type().Name)
	require.NoError(t, other.Close())

	typ, err := h.Type(t.Context(), "TallyBox")
	require.NoError(t, err)
	assert.Equal(t, "Adds things up.", typ.Doc)
	assert.Equal(t, uint32(7), typ.ID)
	assert.Equal(t, "Adds.", typ.Methods[0].Doc)
	assert.Equal(t, registry.Arg{Name: "n", From: registry.ArgInteger, To: tlv.TagInt64, Doc: "what to add"}, typ.Methods[0].Args[0])
}

func TestDescription_Alias(t *testing.T) {
	h := open(t, fmt.Sprintf("[plugins.Tally]\nlibrary = %q\nbox = \"TallyBox\"\n[plugins.Else]\nlibrary = %[1]q\nbox = \"OtherBox\"",
		describedLibrary(t, tallyText)))
	box := newBox(t, h, "Tally")
	assert.EqualValues(t, 1, callInt(t, box, "add", 1))
	r := hosttest.Call(t, box, "other")
	other, err := r.Box()
	require.NoError(t, err)
	assert.Equal(t, "Else", other.Type().Name, "the library's names are translated")
	require.NoError(t, other.Close())
}

func TestDescription_TomlWins(t *testing.T) {
	h := open(t, fmt.Sprintf(`
[plugins.TallyBox]
library = %q
doc = "Ours."
[plugins.TallyBox.methods]
add = { args = [ { name = "sum", from = "float", to = "f64" } ] }
lines = false
pinned = { returns = "bool", doc = "Whether." }
[plugins.OtherBox]
library = %[1]q`, describedLibrary(t, tallyText)))
	typ, err := h.Type(t.Context(), "TallyBox")
	require.NoError(t, err)
	assert.Equal(t, "Ours.", typ.Doc)
	var methods []string
	for _, m := range typ.Methods {
		methods = append(methods, fmt.Sprintf("%s=%d%v %s", m.Name, m.ID, m.Signature, m.Doc))
	}
	assert.Equal(t, []string{"add=1(sum float→f64) → i64 Adds.", "pinned=2() → bool Whether.", "other=4() → OtherBox "}, methods)
}

// The thread is chosen when the library has said which it needs.
func TestDescription_Pinned(t *testing.T) {
	text := "[plugins.TallyBox]\ntype_id = 7\nthreads = \"pinned\"\nmethods = { pinned = { method_id = 2, args = [], returns = \"i64\" } }"
	library := describedLibrary(t, text)
	for name, keys := range map[string]string{"the library decides": "", "nyash.toml agrees": `threads = "pinned"`} {
		t.Run(name, func(t *testing.T) {
			h := open(t, fmt.Sprintf("[plugins.TallyBox]\nlibrary = %q\n%s", library, keys))
			box := newBox(t, h, "TallyBox")
			done := make(chan int64)
			for range 8 {
				go func() {
					r, err := box.Call(t.Context(), "pinned")
					assert.NoError(t, err)
					n, _ := r.Int()
					done <- n
				}()
			}
			for range 8 {
				assert.EqualValues(t, 1, <-done, "the call was made on the thread of init")
			}
		})
	}
}

func TestDescription_Signatures(t *testing.T) {
	arg := registry.Arg{Name: "n", To: tlv.TagInt64}
	right := sig.Hash("add", registry.Signature{Args: []registry.Arg{arg}, ArgsDeclared: true, Returns: registry.Returns{Tag: tlv.TagInt64}})
	tests := []struct {
		name      string
		signature uint32
		keys      string
		warning   bool
		err       string
	}{
		{"the same", right, "strict = true", false, ""},
		{"none given", 0, "strict = true", false, ""},
		{"another one", right + 1, "", true, ""},
		{"another one, strict", right + 1, "strict = true", false, "plugins.TallyBox.methods.add: its signature is add(i64)i64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			library := describedLibrary(t, tallyText, "-DMETHODS=2", "-DTYPE=7", fmt.Sprintf("-DSIGNATURE=%du", tt.signature))
			h := open(t, fmt.Sprintf("[plugins.TallyBox]\nlibrary = %q\n%s\n[plugins.OtherBox]\nlibrary = %[1]q\n%s", library, tt.keys, tt.keys),
				loader.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			err := h.Load(t.Context(), "TallyBox")
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				require.ErrorIs(t, err, native.ErrDescription)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.warning, bytes.Contains(log.Bytes(), []byte("its signature is add(i64)i64")), log.String())
			assert.EqualValues(t, 4, callInt(t, newBox(t, h, "TallyBox"), "undescribed"), "what only init describes can be called")
		})
	}
}

func TestDescription_Errors(t *testing.T) {
	one := "[plugins.TallyBox]\ntype_id = 7\n"
	tests := []struct {
		name, text string
		flags      []string
		err        string
	}{
		{"not TOML", "plugins = [", nil, "libdescribed.so (self-description):1:"},
		{"nothing", "", nil, "it describes no box"},
		{"a mistake in a known key", one + "singleton = 3", nil, ":3:13: plugins.TallyBox.singleton: it must be a boolean"},
		{"what only a host may say", one + "isolation = \"none\"", nil, ":3:1: plugins.TallyBox.isolation: a library cannot say that of itself"},
		{"another box", "[plugins.X]\ntype_id = 1", nil, "the library calls its box X, and nyash.toml calls it TallyBox; rename the box to X, or add box = \"X\""},
		{"several others", "[plugins.X]\ntype_id = 1\n[plugins.TallyBx]\ntype_id = 2", nil, "the library has no box TallyBox (did you mean TallyBx?); it has X, TallyBx"},
		{"another type id in init", one, []string{"-DTYPE=9", `-DNAME="TallyBox"`}, "the library says type_id 7 here, and 9 in init"},
		{"another method id in init", one + "methods = { add = { method_id = 5 } }", []string{"-DMETHODS=1", "-DTYPE=7"}, "the library says method_id 5 here, and 1 in init"},
		{"one id for two methods", one + "methods = { plus = { method_id = 1 } }", []string{"-DMETHODS=1", "-DTYPE=7"}, "two methods with the id 1: plus, and in init add"},
		{"a method without an id", one + "methods = { plus = {} }", nil, "its method_id is not known: neither this text nor init gives one"},
		{"control characters", "[plugins.TallyBox]\ntype_id = \"\\u001b[31m\\u001b\"", nil, "it must be an integer"},
		{"a name with control characters", "[plugins.TallyBox]\nmethods = { \"a\\u001b[2J\" = { method_id = 1 } }", nil, "has the control character U+001B"},
		{"NULL", one, []string{"-UTEXT", "-DTEXT=NULL"}, "nyash_plugin_config returned NULL"},
		{"no UTF-8", "\xff", nil, "what nyash_plugin_config returned is not UTF-8"},
		{"too long", one, []string{"-DLONG"}, "nyash_plugin_config returned more than the 1048576 bytes that are read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, fmt.Sprintf("[plugins]\nTallyBox = %q", describedLibrary(t, tt.text, tt.flags...)))
			err := h.Load(t.Context(), "TallyBox")
			require.ErrorContains(t, err, tt.err)
			assert.NotContains(t, fmt.Sprintf("%v %+v", err, err), "\x1b")
		})
	}
}

// What an older host does not know costs a warning, and what it does not support yet.
func TestDescription_Warnings(t *testing.T) {
	text := tallyText + "colour = \"red\"\nuses = [\"ConsoleBox\"]\n[plugins.OtherBox.later]\nx = 1\n"
	text = "[other]\n" + text
	var log bytes.Buffer
	library := describedLibrary(t, text)
	h := open(t, fmt.Sprintf("[plugins]\nTallyBox = %q\nOtherBox = %[1]q", library), loader.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, h.Load(t.Context(), "TallyBox"))
	for _, warning := range []string{"plugins.OtherBox.colour: unknown key", "plugins.OtherBox.later: unknown key", ":1:2: other: unknown key"} {
		assert.Contains(t, log.String(), warning)
	}
	assert.NotContains(t, log.String(), "OtherBox.uses", "requests are for nyash inspect")
}

// A library that crashes or hangs in nyash_plugin_config is its worker's death, and no
// more.
func TestDescription_HostileConfig(t *testing.T) {
	isolated := "isolation = \"process\"\nload_timeout = \"300ms\"\nrestart = { max = 0 }"
	for name, tt := range map[string]struct{ flag, err string }{
		"crash": {"-DCRASH", "aborted"},
		"hang":  {"-DHANG", "within load_timeout (300ms)"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, fmt.Sprintf("[plugins.TallyBox]\nlibrary = %q\n%s", describedLibrary(t, tallyText, tt.flag), isolated))
			began := time.Now()
			require.ErrorContains(t, h.Load(t.Context()), tt.err)
			assert.Less(t, time.Since(began), 20*time.Second)
		})
	}
}
