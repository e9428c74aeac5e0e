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

// TestNew_ArgumentCount: birth's declared arguments are counted like a method's,
// none among them too.
func TestNew_ArgumentCount(t *testing.T) {
	named := &builtin.Box{
		Name:  "Named",
		New:   func(args []tlv.Value) (any, error) { return args[0], nil },
		Birth: registry.Signature{Args: []registry.Arg{{Name: "name"}}, ArgsDeclared: true},
	}
	h := open(t, "", loader.WithBuiltins(named))
	box, err := h.New(ctx, "Named", "x")
	require.NoError(t, err)
	require.NoError(t, box.Close())
	_, err = h.New(ctx, "Named")
	require.ErrorIs(t, err, abi.ErrInvalidArgs)
	require.ErrorContains(t, err, "it takes 1 (name), and got 0")
}
