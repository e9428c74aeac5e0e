package script_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFolded: what repeats in a traceback is shown once.
func TestFolded(t *testing.T) {
	other := func(calls int) (text string) {
		for i := range calls {
			text += fmt.Sprintf("def f%d(): return f%d()\n", i, i+1)
		}
		return text + fmt.Sprintf("def f%d(): return 1 // 0\nf0()\n", calls)
	}
	for name, tt := range map[string]struct {
		script string
		most   int // lines
		shows  []string
	}{
		"one function":        {"def f(n): return f(n + 1)\nf(0)\n", 8, []string{":2:2: in <toplevel>\n", ":1:19: in f\n  … the same 9", " times more\n"}},
		"two":                 {"def f(n): return g(n)\ndef g(n): return f(n)\nf(0)\n", 9, []string{"in <toplevel>\n", ":1:19: in f\n", ":2:19: in g\n  … the same 2 4", " times more\n"}},
		"with an end":         {"def f(n): return 1 // 0 if n > 50 else f(n + 1)\nf(0)\n", 8, []string{":1:41: in f\n  … the same 50 times more\n", ":1:20: in f"}},
		"twice is not folded": {"def f(n): return 1 // 0 if n > 1 else f(n + 1)\nf(0)\n", 6, []string{":1:40: in f\n", ":1:40: in f\n"}},
		"others":              {other(300), 105, []string{"in <toplevel>\n", "in f48\n  … 202 lines more\n", "in f300"}},
		"a few others":        {other(30), 35, []string{"in f7\n", "in f30"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, t.Context(), tt.script)
			require.Error(t, err)
			text := fmt.Sprintf("%+v", err)
			assert.LessOrEqual(t, strings.Count(text, "\n"), tt.most, text)
			for _, want := range tt.shows {
				assert.Contains(t, text, want)
			}
		})
	}
}
