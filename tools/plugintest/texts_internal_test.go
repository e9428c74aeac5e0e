package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.starlark.net/syntax"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Scripts call a method whose name is a word of the language as the language asks for.
func TestScript_ReservedWords(t *testing.T) {
	for token := syntax.AND; token <= syntax.YIELD; token++ {
		if token != syntax.NOT_IN { // which is two
			assert.Contains(t, scriptWords, token.String())
		}
	}
	b := &box{name: "Notes", typeID: 1}
	b.birth = &method{box: b, name: "birth"}
	load := &method{box: b, name: "load"}
	ops := sequence{{m: b.birth, on: -1, made: b}, {m: load, on: 0, args: literals([]tlv.Value{tlv.String("a")})}}
	assert.Equal(t, `print(getattr(notes1, "load")("a"))  # `, lineOf(ops, 1, []observed{{}, {made: true}}))
	assert.Equal(t, `print(catch(getattr(notes1, "load"), "a"))  # code -5`, lineOf(ops, 1, []observed{{}, {made: true, code: -5}}))
}

// A text that a method takes as bytes may be given to one that takes a string, which must be UTF-8.
func TestTextOf_Bytes(t *testing.T) {
	assert.Equal(t, tlv.String("a?b"), textOf(tlv.TagString, "a\xffb"))
	assert.Equal(t, tlv.Bytes([]byte("a\xffb")), textOf(tlv.TagBytes, "a\xffb"))
}
