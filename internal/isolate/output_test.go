package isolate

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// heard is a sink that keeps what it gets.
type heard struct{ lines []string }

func (h *heard) PluginLog(_ abi.LogLevel, text string, _ bool) { h.lines = append(h.lines, text) }
func (h *heard) PluginWake(handle uint64, _ bool) {
	h.lines = append(h.lines, fmt.Sprintf("wake %d", handle))
}

// TestLine: a worker may send anything as a line.
func TestLine(t *testing.T) {
	tests := map[string]struct {
		kind uint32
		text string
		want []string
	}{
		"a line":                 {uint32(abi.LogInfo), "hello", []string{"hello"}},
		"no UTF-8":               {uint32(abi.LogInfo), "a\xffb", []string{"a\uFFFDb"}},
		"escapes":                {uint32(abi.LogInfo), "\x1b[2J\n", []string{`\x1b[2J\n`}},
		"a wake":                 {wire.LineWake, string(binary.LittleEndian.AppendUint64(nil, 7)), []string{"wake 7"}},
		"a wake of another size": {wire.LineWake, "abc", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h heard
			s := newSession(New(Config{Sink: &h}))
			s.line(tt.kind, []byte(tt.text))
			s.lines.flush(t.Context())
			assert.Equal(t, tt.want, h.lines)
		})
	}
}
