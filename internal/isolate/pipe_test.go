package isolate

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
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// heard is a sink that keeps what it is told.
type heard struct{ lines []string }

func (h *heard) PluginLog(_ abi.LogLevel, text string, _ bool) { h.lines = append(h.lines, text) }
func (h *heard) PluginWake(handle uint64, _ bool) {
	h.lines = append(h.lines, "wake "+string(rune('0'+handle)))
}

// listener is a host that has asked request 5, for at most 16 bytes.
func listener(h *heard) *pipeLink {
	l := &pipeLink{s: &Session{plugin: &Plugin{config: Config{Sink: h}}}}
	for i := range l.callers {
		l.callers[i].told = make(chan struct{}, 1)
	}
	l.callers[5].most = 16
	l.callers[5].asked.Store(true)
	return l
}

func frame(f channel.Frame, payload string) string {
	f.Length = uint64(len(payload))
	return string(f.Append(nil)) + payload
}

func TestWhatAHostBelieves(t *testing.T) {
	answer := channel.Frame{Op: channel.OpAnswer, ID: 5, Code: -3, A: 99}
	line := channel.Frame{Op: channel.OpLine, ID: uint32(abi.LogInfo)}
	wake := channel.Frame{Op: channel.OpLine, ID: channel.LineWake}
	tests := map[string]struct {
		sent  string
		err   error
		lines []string
		data  string
	}{
		"an answer":              {frame(answer, "sixteen bytes..."), io.EOF, nil, "sixteen bytes..."},
		"lines and an answer":    {frame(line, "hello") + frame(wake, string(binary.LittleEndian.AppendUint64(nil, 7))) + frame(answer, ""), io.EOF, []string{"hello", "wake 7"}, ""},
		"what a terminal obeys":  {frame(line, "a\x1b[2J\nb"), io.EOF, []string{`a\x1b[2J\nb`}, ""},
		"no UTF-8":               {frame(line, "a\xffb"), io.EOF, []string{"a\uFFFDb"}, ""},
		"a wake of another size": {frame(wake, "abc"), io.EOF, nil, ""},
		"too large an answer":    {frame(answer, strings.Repeat("x", 17)), errNonsense, nil, ""},
		"nobody asked":           {frame(channel.Frame{Op: channel.OpAnswer, ID: 6}, ""), errNonsense, nil, ""},
		"answered twice":         {frame(answer, "") + frame(answer, ""), errNonsense, nil, ""},
		"no such request":        {frame(channel.Frame{Op: channel.OpAnswer, ID: channel.Slots}, ""), errNonsense, nil, ""},
		"no such operation":      {frame(channel.Frame{Op: channel.OpInvoke}, ""), errNonsense, nil, ""},
		"an endless line":        {string((&channel.Frame{Op: channel.OpLine, Length: 1 << 62}).Append(nil)), errNonsense, nil, ""},
		"cut short":              {frame(answer, "abcdef")[:50], io.ErrUnexpectedEOF, nil, "ab\x00\x00\x00\x00"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h heard
			l := listener(&h)
			require.ErrorIs(t, l.receive(bufio.NewReader(strings.NewReader(tt.sent))), tt.err)
			assert.Equal(t, tt.lines, h.lines)
			assert.Equal(t, tt.data, string(l.callers[5].data))
		})
	}
}

// TestAnnouncedAndNotSent: a worker cannot have its host take memory by a number.
func TestAnnouncedAndNotSent(t *testing.T) {
	data, err := readPayload(strings.NewReader("short"), nil, 1<<40, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.LessOrEqual(t, cap(data), 2<<20)

	sent := bytes.Repeat([]byte("0123456789"), 500_000)
	data, err = readPayload(bytes.NewReader(sent), nil, uint64(len(sent)), nil)
	require.NoError(t, err)
	assert.Equal(t, sent, data)
}

func FuzzPipe(f *testing.F) {
	f.Add([]byte(frame(channel.Frame{Op: channel.OpAnswer, ID: 5}, "abc")))
	f.Add([]byte(frame(channel.Frame{Op: channel.OpLine, ID: 2}, "abc")))
	f.Fuzz(func(t *testing.T, sent []byte) {
		l := listener(new(heard))
		require.Error(t, l.receive(bufio.NewReader(bytes.NewReader(sent))), "the bytes come to an end")
		require.LessOrEqual(t, len(l.callers[5].data), 16)
	})
}
