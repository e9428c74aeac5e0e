package pipe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// heard keeps the lines that come.
type heard struct{ lines []string }

func (h *heard) line(kind uint32, text []byte) bool {
	if kind&wire.LineWake != 0 {
		text = append([]byte("wake "), text...)
	}
	h.lines = append(h.lines, string(text))
	return true
}

// listener is a host that has asked request 5, for at most 16 bytes.
func listener(to *heard) *Host {
	h := &Host{peer: &transport.Peer{Line: to.line}}
	for i := range h.callers {
		h.callers[i].told = make(chan struct{}, 1)
	}
	h.callers[5].most = 16
	h.callers[5].asked.Store(true)
	return h
}

func frame(f Frame, payload string) string {
	f.Length = uint64(len(payload))
	return string(f.Append(nil)) + payload
}

func TestReceive_Malformed(t *testing.T) {
	answer := Frame{Op: wire.OpAnswer, ID: 5, Code: -3, A: 99}
	line := Frame{Op: wire.OpLine, ID: uint32(abi.LogInfo)}
	wake := Frame{Op: wire.OpLine, ID: wire.LineWake}
	tests := map[string]struct {
		sent  string
		err   error
		lines []string
		data  string
	}{
		"an answer":              {frame(answer, "sixteen bytes..."), io.EOF, nil, "sixteen bytes..."},
		"lines and an answer":    {frame(line, "hello") + frame(wake, string(binary.LittleEndian.AppendUint64(nil, 7))) + frame(answer, ""), io.EOF, []string{"hello", "wake \x07\x00\x00\x00\x00\x00\x00\x00"}, ""},
		"no UTF-8":               {frame(line, "a\xffb"), io.EOF, []string{"a\xffb"}, ""},
		"a wake of another size": {frame(wake, "abc"), io.EOF, []string{"wake abc"}, ""},
		"too large an answer":    {frame(answer, strings.Repeat("x", 17)), errNonsense, nil, ""},
		"nobody asked":           {frame(Frame{Op: wire.OpAnswer, ID: 6}, ""), errNonsense, nil, ""},
		"answered twice":         {frame(answer, "") + frame(answer, ""), errNonsense, nil, ""},
		"no such request":        {frame(Frame{Op: wire.OpAnswer, ID: wire.Slots}, ""), errNonsense, nil, ""},
		"no such operation":      {frame(Frame{Op: wire.OpInvoke}, ""), errNonsense, nil, ""},
		"an endless line":        {string((&Frame{Op: wire.OpLine, Length: 1 << 62}).Append(nil)), errNonsense, nil, ""},
		"cut short":              {frame(answer, "abcdef")[:50], io.ErrUnexpectedEOF, nil, "ab\x00\x00\x00\x00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var to heard
			h := listener(&to)
			require.ErrorIs(t, h.receive(bufio.NewReader(strings.NewReader(tt.sent))), tt.err)
			assert.Equal(t, tt.lines, to.lines)
			assert.Equal(t, tt.data, string(h.callers[5].data))
		})
	}
}

// TestReadPayload_LengthLie: a worker cannot have its host take memory by a number.
func TestReadPayload_LengthLie(t *testing.T) {
	data, err := readPayload(strings.NewReader("short"), nil, 1<<40, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.LessOrEqual(t, cap(data), 2<<20)

	sent := bytes.Repeat([]byte("0123456789"), 500_000)
	data, err = readPayload(bytes.NewReader(sent), nil, uint64(len(sent)), nil)
	require.NoError(t, err)
	assert.Equal(t, sent, data)
}

func FuzzPipe(f *testing.F) {
	f.Add([]byte(frame(Frame{Op: wire.OpAnswer, ID: 5}, "abc")))
	f.Add([]byte(frame(Frame{Op: wire.OpLine, ID: 2}, "abc")))
	f.Fuzz(func(t *testing.T, sent []byte) {
		h := listener(new(heard))
		require.Error(t, h.receive(bufio.NewReader(bytes.NewReader(sent))), "the bytes come to an end")
		require.LessOrEqual(t, len(h.callers[5].data), 16)
	})
}
