package sig_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The numbers were computed apart from the code under test.
func TestHash(t *testing.T) {
	two := []sig.Arg{{Name: "a", From: sig.Integer, To: tlv.TagInt64}, {Name: "b", To: tlv.TagBytes}}
	for text, tt := range map[string]struct {
		name string
		sig  sig.Signature
		hash uint32
	}{
		"get(...)":          {"get", sig.Signature{}, 0x4eca74b8},
		"get(...)i64":       {"get", sig.Signature{Returns: sig.Returns{Tag: tlv.TagInt64}}, 0x8f402541},
		"get()void":         {"get", sig.Signature{ArgsDeclared: true, Returns: sig.Returns{Tag: tlv.TagVoid}}, 0x047b01fe},
		"put(i64,bytes)Box": {"put", sig.Signature{ArgsDeclared: true, Args: two, Returns: sig.Returns{Tag: tlv.TagHandle, Box: "Box"}}, 0xc8cea900},
		"put(any)":          {"put", sig.Signature{ArgsDeclared: true, Args: []sig.Arg{{Name: "x"}}}, 0xd6c1bde7},
	} {
		assert.Equal(t, text, sig.HashText(tt.name, tt.sig))
		assert.Equal(t, tt.hash, sig.Hash(tt.name, tt.sig), text)
	}
}
