//go:build cgo

package nyash

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

type thing struct{}

func newThing() *thing { return nil }

// TestMistakes: what is wrong with a description is found when the plugin is
// loaded, and said in the host's log.
func TestMistakes(t *testing.T) {
	method := func(m Method) Box { return Box{Name: "Thing", New: newThing, Methods: []Method{m}} }
	for name, c := range map[string]struct {
		box  Box
		want string
	}{
		"no New":               {Box{Name: "Thing"}, "Thing: New must be a func(…) *T or a func(…) (*T, error)"},
		"New without a result": {Box{Name: "Thing", New: func() {}}, "Thing: New must be a func"},
		"another receiver":     {method(Method{ID: 1, Name: "m", Call: func(thing) {}}), "Thing: m: Call must be a function whose first parameter is a *nyash.thing"},
		"no Call":              {method(Method{ID: 1, Name: "m"}), "Thing: m: Call must be a function"},
		"birth's id":           {method(Method{ID: 0, Name: "m", Call: func(*thing) {}}), "Thing: m: its id (0) or its name is another method's"},
		"birth's name":         {method(Method{ID: 1, Name: "birth", Call: func(*thing) {}}), "its id (1) or its name is another method's"},
		"a name missing":       {method(Method{ID: 1, Name: "m", Call: func(*thing, bool) {}}), "Thing: m: it has 1 arguments and 0 names for them"},
		"variadic":             {method(Method{ID: 1, Name: "m", Call: func(*thing, ...bool) {}, Args: []string{"a"}}), "names for them"},
		"a type of Go's own":   {method(Method{ID: 1, Name: "m", Call: func(*thing, map[string]int) {}, Args: []string{"a"}}), "a has the type map[string]int, which the wire does not have"},
		"optional in front":    {method(Method{ID: 1, Name: "m", Call: func(*thing, *bool, bool) {}, Args: []string{"a", "b"}}), "b stands behind one that may be left out"},
		"a result of Go's own": {method(Method{ID: 1, Name: "m", Call: func(*thing) *int { return nil }}), "it returns what the wire does not have"},
		"two results":          {method(Method{ID: 1, Name: "m", Call: func(*thing) (int, bool) { return 0, false }}), "it returns what the wire does not have"},
		"Max":                  {method(Method{ID: 1, Name: "m", Max: 65536, Call: func(*thing) {}}), "Max is not from 0 to 65535"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Contains(t, strings.Join(compile(c.box).mistakes, "\n"), c.want)
		})
	}
	assert.Empty(t, compile(method(Method{ID: 1, Name: "m", Call: func(*thing, bool, *int32) error { return nil }, Args: []string{"a", "b"}})).mistakes)
}

func TestQuote(t *testing.T) {
	assert.Equal(t, `"a \"b\" \\ \u000A\u007Fé"`, quote("a \"b\" \\ \n\x7fé"))
}
