package suggest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

func TestDidYouMean(t *testing.T) {
	known := []string{"open", "read", "write", "setCompressionLevel", "None", "hash", "bool"}
	for name, want := range map[string]string{
		"raed":                " (did you mean read?)",
		"READ":                " (did you mean read?)",
		"opne":                " (did you mean open?)",
		"setCompresionLevell": " (did you mean setCompressionLevel?)",
		"close":               "",
		"rd":                  "", // half of it
		"rea":                 " (did you mean read?)",
		"writable":            "",
		"wri":                 " (did you mean write?)", // its beginning
		"wr":                  "",
		"setCompression":      " (did you mean setCompressionLevel?)",
		"nyash":               "",
		"Foo":                 "",
		"":                    "",
		"x":                   "",
	} {
		assert.Equal(t, want, suggest.DidYouMean(name, known), name)
	}
	assert.Empty(t, suggest.DidYouMean("read", nil))
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"read", "READ", 0}, {"read", "raed", 1}, {"read", "rad", 1}, {"read", "ready", 1}, {"read", "seed", 2}, {"", "abc", 3}} {
		assert.Equal(t, tt.want, suggest.Distance(tt.a, tt.b), "%s %s", tt.a, tt.b)
	}
}
