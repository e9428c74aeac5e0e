package registry_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// callBuiltin calls a method by name, as a host does by id.
func callBuiltin(t *testing.T, b *registry.Builtin, self any, method string, args ...tlv.Value) (tlv.Value, error) {
	t.Helper()
	p, err := b.Bind(1).Method(method)
	require.NoError(t, err)
	return b.Call(t.Context(), p.ID, self, args)
}

func TestConsole(t *testing.T) {
	var out, errs bytes.Buffer
	b := registry.NewConsole(strings.NewReader("one\r\n\nthree"), &out, &errs)
	self, err := b.New(nil)
	require.NoError(t, err)
	for _, v := range []tlv.Value{tlv.String("text"), tlv.Int32(5), tlv.Bool(true)} {
		_, err := callBuiltin(t, b, self, "println", v)
		require.NoError(t, err)
	}
	_, err = callBuiltin(t, b, self, "print", tlv.String("no end"))
	require.NoError(t, err)
	_, err = callBuiltin(t, b, self, "error", tlv.String("oops"))
	require.NoError(t, err)
	assert.Equal(t, "text\n5\ntrue\nno end", out.String())
	assert.Equal(t, "oops\n", errs.String())

	for _, want := range []tlv.Value{tlv.String("one"), tlv.String(""), tlv.String("three"), tlv.Void(), tlv.Void()} {
		got, err := callBuiltin(t, b, self, "readLine")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestTime(t *testing.T) {
	b := registry.NewTime()
	self, err := b.New(nil)
	require.NoError(t, err)
	v, err := callBuiltin(t, b, self, "format", tlv.Int64(1_000_000_000_000), tlv.String("2006-01-02 15:04"))
	require.NoError(t, err)
	assert.Equal(t, tlv.String("2001-09-09 01:46"), v)
	before, err := callBuiltin(t, b, self, "now")
	require.NoError(t, err)
	_, err = callBuiltin(t, b, self, "sleep", tlv.Int64(2))
	require.NoError(t, err)
	after, err := callBuiltin(t, b, self, "now")
	require.NoError(t, err)
	from, err := before.Int()
	require.NoError(t, err)
	to, err := after.Int()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, to-from, int64(1))
	elapsed, err := callBuiltin(t, b, self, "elapsed")
	require.NoError(t, err)
	n, err := elapsed.Int()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, n, int64(2))

	done, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := b.Bind(1).Method("sleep")
	require.NoError(t, err)
	_, err = b.Call(done, p.ID, self, []tlv.Value{tlv.Int64(1 << 40)})
	require.ErrorIs(t, err, context.Canceled)
}

func TestBuiltinCallIsChecked(t *testing.T) {
	b := registry.NewTime()
	for _, id := range []uint32{0, 99} {
		_, err := b.Call(t.Context(), id, nil, nil)
		require.ErrorIs(t, err, abi.ErrInvalidMethod)
	}
	_, err := b.Call(t.Context(), 1, nil, []tlv.Value{tlv.Void()})
	require.ErrorIs(t, err, abi.ErrInvalidArgs)
}
