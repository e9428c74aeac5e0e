package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFoldRecursion(t *testing.T) {
	for name, c := range map[string]struct{ frames, want, calling []string }{
		"one": {
			[]string{"walk (n=3) at a.c:3", "walk (n=2) at a.c:3", "walk (n=1) at a.c:3", "walk (n=0) at a.c:3"},
			[]string{"walk (n=3) at a.c:3", "and so on, over and over: walk calls itself"}, []string{"walk"},
		},
		"three, below another, and another thread": {
			[]string{"memcpy ()", "sum (p) at a.c:1", "product (p) at a.c:2", "sum (p) at a.c:1", "product (p) at a.c:2", "sum (p) at a.c:1", "product (p) at a.c:2", "sum (p) at a.c:1", "another thread:", "wait ()"},
			[]string{"memcpy ()", "sum (p) at a.c:1", "product (p) at a.c:2", "and so on, over and over: product and sum call one another", "another thread:", "wait ()"}, []string{"sum", "product"},
		},
		"none":      {[]string{"a ()", "b ()", "c ()", "a ()", "d ()", "e ()"}, []string{"a ()", "b ()", "c ()", "a ()", "d ()", "e ()"}, nil},
		"few":       {[]string{"a ()", "a ()", "a ()"}, []string{"a ()", "a ()", "a ()"}, nil},
		"no frames": {},
	} {
		t.Run(name, func(t *testing.T) {
			f := Finding{Backtrace: c.frames}
			assert.Equal(t, c.calling, f.foldRecursion())
			assert.Equal(t, c.want, f.Backtrace)
		})
	}
}
