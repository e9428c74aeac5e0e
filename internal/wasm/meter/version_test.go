package meter_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// TestVersion: whoever changes what Rewrite makes of a module raises Version, or programs take
// what the cache on disk has of another release. The sum follows it here.
func TestVersion(t *testing.T) {
	sum := sha256.New()
	for seed := range uint64(50) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
		text, err := meter.Rewrite(g.module(), meter.Options{})
		require.NoError(t, err)
		sum.Write(text)
	}
	text, err := meter.Rewrite(guardedModule("path_link", "iiiiiii"), meter.Options{})
	require.NoError(t, err)
	sum.Write(text)
	assert.Equal(t, 2, meter.Version)
	assert.Equal(t, "b3e78da886cc0369", hex.EncodeToString(sum.Sum(nil)[:8]))
}
