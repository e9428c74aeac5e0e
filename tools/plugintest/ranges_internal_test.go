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
		"0 to 1000000000000": {least: 0, most: 1000000000000, text: "0 to 1000000000000"},
		"-1 to 1, as a step": {least: -1, most: 1, text: "-1 to 1"},
		"of 1 to 10,000":     {least: 1, most: 10000, text: "of 1 to 10,000"},
		"between 2 and 5":    {least: 2, most: 5, text: "between 2 and 5"},
		"1 or more":          {least: 1, most: math.MaxInt64, text: "1 or more"},
		"at most 64":         {least: math.MinInt64, most: 64, text: "at most 64"},
		"up to 64 at once":   {least: math.MinInt64, most: 64, text: "up to 64"},
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
	assert.Equal(t, span{least: 1, most: 32, text: "1 to 32"}, s)
	for _, doc := range []string{"1 to 32", "1 to 65535 bytes", "0 to 9 words"} {
		_, ok = spanOf(doc, tlv.TagString)
		assert.False(t, ok, doc)
	}
	for doc, want := range map[string][]float64{
		"0 to 9":                {-1, 10},
		"0 to 1, a probability": {-1, 2},
		"0.5 to 99.5.":          {-0.5, 100.5},
	} {
		s, ok = spanOf(doc, tlv.TagFloat64)
		assert.True(t, ok, doc)
		assert.Equal(t, want, s.floatsOutside()[:2], doc)
		assert.True(t, math.IsNaN(s.floatsOutside()[2]))
	}
	s, ok = spanOf("any finite number", tlv.TagFloat64)
	assert.True(t, ok)
	assert.Equal(t, []float64{math.Inf(-1), math.Inf(1)}, s.floatsOutside()[:2])
	for _, doc := range []string{"a number", "0 to 1.2.3", "0 to 9 otherwise"} {
		_, ok = spanOf(doc, tlv.TagFloat64)
		assert.False(t, ok, doc)
	}
}

func TestOfArgument(t *testing.T) {
	for doc, want := range map[string]string{
		"The value below which p percent are; p is 0 to 100.": "0 to 100",
		"Adds a circle, radius 1 to 40000; returns how many.": "1 to 40000",
		"`p` from 0 to 1":             "0 to 1",
		"Keeps up to 5 to 9 of them.": "",
		"The step 3 to 4 of p":        "",
		"Pops 1 to 3":                 "",
	} {
		name := "p"
		if want == "1 to 40000" {
			name = "radius"
		}
		assert.Equal(t, want, ofArgument(doc, name), doc)
	}
}

func TestSpan_Outside(t *testing.T) {
	assert.Equal(t, []tlv.Value{tlv.Int64(-1), tlv.Int64(6)}, span{least: 0, most: 5, text: ""}.outside(tlv.Int64(1)))
	assert.Equal(t, []tlv.Value{tlv.Int32(0)}, span{least: 1, most: math.MaxInt64, text: ""}.outside(tlv.Int32(3)))
	assert.Empty(t, span{least: math.MinInt32, most: math.MaxInt32, text: ""}.outside(tlv.Int32(3)))
	assert.Equal(t, []tlv.Value{tlv.String(""), tlv.String("aaaa")}, span{least: 1, most: 3, text: ""}.outside(tlv.String("x")))
	assert.Empty(t, span{least: 0, most: tlv.MaxPayload, text: ""}.outside(tlv.String("x")))
}
