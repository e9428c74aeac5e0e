package calls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The declarations that a relay's methods with blobs need.
const blobs = `[plugins.%[1]s.methods]
length   = { method_id = 21, args = [ { name = "data", from = "bytes", to = "blob" } ] }
blob     = { method_id = 22, args = [ { name = "size", from = "integer", to = "i64" } ], returns = "blob" }
sendBlob = { method_id = 30, args = [ "box", "method", { name = "data", from = "bytes", to = "blob" } ] }
getBlob  = { method_id = 31, args = [ "box", "method", { name = "size", from = "integer", to = "i64" } ], returns = "blob" }
`

// entry is one box of a nyash.toml that a relay is.
type entry struct {
	name  string
	uses  []string
	keys  string // further lines of its table
	flags []string
}

// library builds the relay, and is a file of its own for each box: the process has one image
// of a file.
func (e entry) library(t testing.TB) string {
	if strings.Contains(e.keys, module) {
		return ccbuild.Module(t, "testdata/relay.c", append([]string{fmt.Sprintf("-DTYPE_NAME=%q", e.name)}, e.flags...)...)
	}
	return ccbuild.Library(t, "testdata/relay.c", append([]string{fmt.Sprintf("-DTYPE_NAME=%q", e.name)}, e.flags...)...)
}

// text is the entry as nyash.toml has it.
func (e entry) text(t testing.TB) string {
	quoted := make([]string, len(e.uses))
	for i, u := range e.uses {
		quoted[i] = fmt.Sprintf("%q", u)
	}
	return fmt.Sprintf("[plugins.%[1]s]\nlibrary = %[2]q\nuses = [%[3]s]\n%[4]s\n"+blobs, e.name, e.library(t), strings.Join(quoted, ", "), e.keys)
}

// open opens a host with boxes that are relays, and GoBox.
func open(t testing.TB, entries []entry, opts ...loader.Option) *loader.Host {
	t.Helper()
	return hosttest.Open(t, toml(t, entries), append([]loader.Option{loader.WithBuiltins(goBox(), builtin.Time())}, opts...)...)
}

func toml(t testing.TB, entries []entry) string {
	var text strings.Builder
	for _, e := range entries {
		text.WriteString(e.text(t))
	}
	return text.String()
}

// goBox is a host function with what a relay is asked for.
func goBox() *builtin.Box {
	return &builtin.Box{
		Name: "GoBox",
		New:  func([]tlv.Value) (any, error) { return new(int), nil },
		Methods: []builtin.Method{
			{Name: "add", Func: func(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
				a, _ := args[0].Int()
				b, _ := args[1].Int()
				return tlv.Int64(a + b), nil
			}, Signature: registry.Signature{Args: []registry.Arg{{Name: "a", To: tlv.TagInt64}, {Name: "b", To: tlv.TagInt64}}, ArgsDeclared: true}},
			{Name: "echo", Func: func(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
				return args[0], nil
			}, Signature: registry.Signature{Args: []registry.Arg{{Name: "value"}}, ArgsDeclared: true}},
			{Name: "fail", Func: func(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
				text, _ := args[0].Text()
				return tlv.Void(), errors.New(text)
			}, Signature: registry.Signature{Args: []registry.Arg{{Name: "text"}}, ArgsDeclared: true}},
		},
	}
}

// failsWith makes a call that fails with a code and a text.
func failsWith(t testing.TB, box *loader.Box, code abi.Code, text, method string, args ...any) {
	t.Helper()
	_, err := box.Call(context.Background(), method, args...)
	require.ErrorIs(t, err, code)
	assert.ErrorContains(t, err, text)
}

// works makes a call that every host answers as long as it works.
func works(t testing.TB, box *loader.Box, target string) {
	t.Helper()
	assert.EqualValues(t, 5, hosttest.CallInt(t, box, "ask", target, "add", 2, 3))
}

func text(t testing.TB, r loader.Result) string {
	t.Helper()
	s, err := r.Text()
	require.NoError(t, err)
	return s
}

func boxOf(t testing.TB, r loader.Result) *loader.Box {
	t.Helper()
	box, err := r.Box()
	require.NoError(t, err)
	return box
}
