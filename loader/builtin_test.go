package loader_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// TestBuiltin_ArgumentCount: a function never gets another number of arguments
// than its signature has.
func TestBuiltin_ArgumentCount(t *testing.T) {
	first := func(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) { return args[0], nil }
	echo := &builtin.Box{
		Name: "Echo",
		New:  func([]tlv.Value) (any, error) { return nil, nil },
		Methods: []builtin.Method{
			{Name: "declared", Signature: registry.Signature{Args: []registry.Arg{{Name: "x"}}, ArgsDeclared: true}, Func: first},
			{Name: "undeclared", Func: first},
		},
	}
	box := newBox(t, open(t, "", loader.WithBuiltins(echo)), "Echo")
	_, err := box.Call(ctx, "declared", 1)
	require.NoError(t, err)
	_, err = box.Call(ctx, "declared")
	require.ErrorIs(t, err, abi.ErrInvalidArgs)
	_, err = box.Call(ctx, "undeclared", 1)
	require.ErrorIs(t, err, abi.ErrInvalidArgs)
}
