package plugintest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// TestSpanOf reads what documentation says of arguments.
func TestSpanOf(t *testing.T) {
	for doc, want := range map[string]span{
		"0 to 1000000000000": {0, 1000000000000, "0 to 1000000000000"},
		"-1 to 1, as a step": {-1, 1, "-1 to 1"},
		"of 1 to 10,000":     {1, 10000, "of 1 to 10,000"},
		"between 2 and 5":    {2, 5, "between 2 and 5"},
		"1 or more":          {1, math.MaxInt64, "1 or more"},
		"at most 64":         {math.MinInt64, 64, "at most 64"},
		"up to 64 at once":   {math.MinInt64, 64, "up to 64"},
	} {
		s, ok := spanOf(doc, tlv.TagInt64)
		assert.True(t, ok, doc)
		assert.Equal(t, want, s, doc)
	}
	for _, doc := range []string{
		"", "a number", "the size, 0 to 5", "0 to 100; larger ones count as 100", "0 to 9, else 0", "5 to 1", "0 to 9 by default", "0 to 100, or -1 for all",
		"0 to 99999999999999999999", "12:30 to 14:00",
	} {
		_, ok := spanOf(doc, tlv.TagInt64)
		assert.False(t, ok, doc)
	}
	s, ok := spanOf("1 to 32 bytes", tlv.TagString)
	assert.True(t, ok)
	assert.Equal(t, span{1, 32, "1 to 32"}, s)
	for _, doc := range []string{"1 to 32", "1 to 65535 bytes", "0 to 9 words"} {
		_, ok = spanOf(doc, tlv.TagString)
		assert.False(t, ok, doc)
	}
	_, ok = spanOf("0 to 9", tlv.TagFloat64)
	assert.False(t, ok)
}

func TestSpan_Outside(t *testing.T) {
	assert.Equal(t, []tlv.Value{tlv.Int64(-1), tlv.Int64(6)}, span{0, 5, ""}.outside(tlv.Int64(1)))
	assert.Equal(t, []tlv.Value{tlv.Int32(0)}, span{1, math.MaxInt64, ""}.outside(tlv.Int32(3)))
	assert.Empty(t, span{math.MinInt32, math.MaxInt32, ""}.outside(tlv.Int32(3)))
	assert.Equal(t, []tlv.Value{tlv.String(""), tlv.String("aaaa")}, span{1, 3, ""}.outside(tlv.String("x")))
	assert.Empty(t, span{0, tlv.MaxPayload, ""}.outside(tlv.String("x")))
}
