package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSplitText(t *testing.T) {
	for text, want := range map[string][]string{
		"":               nil,
		"abc":            nil,
		"10.0.0.0/8":     {"10.0.0.0", "8"},
		"Ada > Bob":      {"Ada", "Bob"},
		"http://a.b/c":   {"http", "a.b/c"},
		"a=":             {"a"},
		"/a":             {"a"},
		"key: some text": {"key", "some text"},
	} {
		assert.Equal(t, want, splitText(text), "%q", text)
	}
}

func TestAlikeIn(t *testing.T) {
	for text, want := range map[string]string{
		"":           "",
		"EUR":        "LBY",
		"a-Z9":       "h-G9",
		"10.0.0.0/8": "10.0.0.0/8",
		"größe":      "nyößl",
	} {
		assert.Equal(t, want, alikeIn(text), "%q", text)
	}
}
