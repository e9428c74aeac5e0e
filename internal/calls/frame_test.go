package calls

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFrame(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	defer cancel()
	assert.Zero(t, At(ctx))

	var f Frame
	f.Reset(ctx, Position{7, 3})
	assert.Equal(t, Position{7, 3}, At(&f))
	assert.Equal(t, "value", f.Value(key{}))
	assert.True(t, f.Nested())
	derived, end := context.WithCancel(&f)
	defer end()
	assert.Equal(t, Position{7, 3}, At(derived))

	stable := Stable(&f)
	assert.Same(t, stable, Stable(&f), "all host functions of a call have one")
	f.Reset(t.Context(), Position{8, 0})
	assert.False(t, f.Nested())
	assert.Equal(t, Position{7, 3}, At(stable), "it outlives the call")
	assert.Equal(t, "value", stable.Value(key{}))
	deadline, ok := stable.Deadline()
	require.True(t, ok)
	want, _ := ctx.Deadline()
	assert.Equal(t, want, deadline)
	assert.NotSame(t, stable, Stable(&f))
	assert.Equal(t, ctx, Stable(ctx), "what is no frame is as it was")
}

func TestInChain(t *testing.T) {
	ctx, at := InChain(t.Context())
	require.NotZero(t, at.Chain)
	assert.Equal(t, at, At(ctx))
	same, again := InChain(ctx)
	assert.Equal(t, ctx, same)
	assert.Equal(t, at, again)
	_, other := InChain(t.Context())
	assert.NotEqual(t, at.Chain, other.Chain)
}
