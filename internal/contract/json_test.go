package contract_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// TestWriteJSON: a terminal obeys nothing of the text, and a reader gets what it was.
func TestWriteJSON(t *testing.T) {
	for in, want := range map[string]string{
		"plain <&> é 漢 👍🏽": `{"a":"plain <&> é 漢 👍🏽"}` + "\n",
		"a\n\x1b[31m":      `{"a":"a\n\u001b[31m"}` + "\n",
		"\u009b31m\x7f":    `{"a":"\u009b31m\u007f"}` + "\n",
		"\u202eabc\u2066":  `{"a":"\u202eabc\u2066"}` + "\n",
		"\U000e0041":       `{"a":"\udb40\udc41"}` + "\n",
	} {
		var out bytes.Buffer
		require.NoError(t, contract.WriteJSON(&out, map[string]string{"a": in}, ""))
		assert.Equal(t, want, out.String())
		var back map[string]string
		require.NoError(t, json.Unmarshal(out.Bytes(), &back))
		assert.Equal(t, in, back["a"])
	}
	var out bytes.Buffer
	require.NoError(t, contract.WriteJSON(&out, map[string]int{"a": 1}, "  "))
	assert.Equal(t, "{\n  \"a\": 1\n}\n", out.String())
	require.Error(t, contract.WriteJSON(&out, make(chan int), ""))
}
