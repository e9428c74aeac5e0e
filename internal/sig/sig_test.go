package sig_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func TestKind_Words(t *testing.T) {
	assert.Equal(t, []string{"any", "string", "integer", "float", "bool", "bytes", "box"}, sig.KindNames())
	for i, word := range sig.KindNames() {
		k, ok := sig.ParseKind(word)
		require.True(t, ok)
		assert.EqualValues(t, i, k)
		assert.Equal(t, word, k.String())
		if k != sig.Any {
			assert.True(t, k.Converts(k.Natural()), "%v travels as %v", k, k.Natural())
		}
	}
	_, ok := sig.ParseKind("i32")
	assert.False(t, ok)
}

func TestKind_Takes(t *testing.T) {
	assert.True(t, sig.Any.Takes(sig.Box))
	assert.True(t, sig.Float.Takes(sig.Integer))
	assert.False(t, sig.Integer.Takes(sig.Float))
}

func TestParseReturns(t *testing.T) {
	for word, want := range map[string]sig.Returns{
		"void":    {Tag: tlv.TagVoid},
		"i32":     {Tag: tlv.TagInt32},
		"blob":    {Tag: tlv.TagBlob},
		"FileBox": {Tag: tlv.TagHandle, Box: "FileBox"},
	} {
		assert.Equal(t, want, sig.ParseReturns(word))
		assert.Equal(t, word, want.String())
	}
}

func TestSignature_String(t *testing.T) {
	for want, s := range map[string]sig.Signature{
		"(…)": {},
		"()":  {ArgsDeclared: true},
		"(x, path string, data string→bytes, n i64) → FileBox or error": {
			Args: []sig.Arg{{Name: "x"}, {Name: "path", From: sig.String, To: tlv.TagString}, {Name: "data", From: sig.String, To: tlv.TagBytes},
				{Name: "n", To: tlv.TagInt64}},
			ArgsDeclared: true, Returns: sig.Returns{Tag: tlv.TagHandle, Box: "FileBox"}, ReturnsResult: true,
		},
	} {
		assert.Equal(t, want, s.String())
	}
}
