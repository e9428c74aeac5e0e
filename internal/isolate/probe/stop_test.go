package probe

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseFault(t *testing.T) {
	tests := map[string]struct {
		line, rest string
		want       Fault
		ok         bool
	}{
		"alone":      {"nyfault:000000000000000b 00007f12a5432190 0000000000000008", "", Fault{11, 0x7f12a5432190, 8, false}, true},
		"a write":    {"nyfault:000000060000000b 00007f12a5432190 0000000000000008", "", Fault{11, 0x7f12a5432190, 8, true}, true},
		"after text": {"halfnyfault:0000000000000006 0000000000000001 0000000000000000", "half", Fault{6, 1, 0, false}, true},
		"cut":        {"nyfault:000000000000000b 00007f12a543", "nyfault:000000000000000b 00007f12a543", Fault{}, false},
		"a line":     {"hello", "hello", Fault{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, rest, ok := ParseFault(tt.line)
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.rest, rest)
			assert.Equal(t, tt.want, f)
		})
	}
}
