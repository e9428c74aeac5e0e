package builtin_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// call runs a method as a host does.
func call(ctx context.Context, t *testing.T, b *builtin.Box, self any, method string, args ...tlv.Value) (tlv.Value, error) {
	t.Helper()
	for _, m := range b.Methods {
		if m.Name == method {
			require.Len(t, args, len(m.Args))
			return m.Func(ctx, self, args)
		}
	}
	t.Fatalf("%s has no method %s", b.Name, method)
	return tlv.Value{}, nil
}

func TestConsole(t *testing.T) {
	var out, errs bytes.Buffer
	b := builtin.Console(strings.NewReader("one\r\n\nthree"), &out, &errs)
	self, err := b.New(nil)
	require.NoError(t, err)
	for _, v := range []tlv.Value{tlv.String("text"), tlv.Int32(5), tlv.Bool(true)} {
		_, err := call(t.Context(), t, b, self, "println", v)
		require.NoError(t, err)
	}
	_, err = call(t.Context(), t, b, self, "print", tlv.String("no end"))
	require.NoError(t, err)
	_, err = call(t.Context(), t, b, self, "error", tlv.String("oops"))
	require.NoError(t, err)
	assert.Equal(t, "text\n5\ntrue\nno end", out.String())
	assert.Equal(t, "oops\n", errs.String())

	for _, want := range []tlv.Value{tlv.String("one"), tlv.String(""), tlv.String("three"), tlv.Void(), tlv.Void()} {
		got, err := call(t.Context(), t, b, self, "readLine")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestTime(t *testing.T) {
	b := builtin.Time()
	self, err := b.New(nil)
	require.NoError(t, err)
	v, err := call(t.Context(), t, b, self, "format", tlv.Int64(1_000_000_000_000), tlv.String("2006-01-02 15:04"))
	require.NoError(t, err)
	assert.Equal(t, tlv.String("2001-09-09 01:46"), v)
	before, err := call(t.Context(), t, b, self, "now")
	require.NoError(t, err)
	_, err = call(t.Context(), t, b, self, "sleep", tlv.Int64(2))
	require.NoError(t, err)
	after, err := call(t.Context(), t, b, self, "now")
	require.NoError(t, err)
	from, err := before.Int()
	require.NoError(t, err)
	to, err := after.Int()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, to-from, int64(1))
	elapsed, err := call(t.Context(), t, b, self, "elapsed")
	require.NoError(t, err)
	n, err := elapsed.Int()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, n, int64(2))

	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = call(done, t, b, self, "sleep", tlv.Int64(1<<40))
	require.ErrorIs(t, err, context.Canceled)
}
