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
	assert.Equal(t, 1, meter.Version)
	assert.Equal(t, "1c2c72e747dbfb0b", hex.EncodeToString(sum.Sum(nil)[:8]))
}
