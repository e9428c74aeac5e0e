package pipe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/contract"
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
	h := &Host{peer: &transport.Peer{Line: to.line, Calls: echoes{}, MaxBlob: 20}}
	for i := range h.callers {
		h.callers[i].told = make(chan struct{}, 1)
	}
	for i := range h.hostCalls { // which nobody answers
		h.hostCalls[i].Store(&hostSide{caller: transport.NewHostCaller(h.peer, nil), came: make(chan struct{}, 1)})
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
	call := func(id uint32, message, payload int) string {
		return frame(Frame{Op: wire.OpHostCall, ID: id, B: uint64(message)}, strings.Repeat("x", payload))
	}
	const lane = wire.Slots
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
		"a call":                 {call(5, 4, 12), io.EOF, nil, ""},
		"a call, with blobs":     {call(5, 4, 32), io.EOF, nil, ""},
		"a call in a lane":       {call(lane, 0, 8) + call(lane+wire.Lanes-1, 0, 8), io.EOF, nil, ""},
		"a call of nobody":       {call(6, 4, 12), errNonsense, nil, ""},
		"no such lane":           {call(lane+wire.Lanes, 0, 8), errNonsense, nil, ""},
		"a call in a call":       {call(5, 4, 12) + call(5, 4, 12), errNonsense, nil, ""},
		"a lane that is taken":   {call(lane, 0, 8) + call(lane, 0, 8), errNonsense, nil, ""},
		"an answer in a call":    {call(5, 4, 12) + frame(answer, ""), errNonsense, nil, ""},
		"a call after an answer": {frame(answer, "") + call(5, 4, 12), errNonsense, nil, ""},
		"a call of no thread":    {call(5, 0, 7), errNonsense, nil, ""},
		"less than a message":    {call(5, 5, 12), errNonsense, nil, ""},
		"an endless message":     {call(5, -1, 12), errNonsense, nil, ""},
		"too long a message":     {string((&Frame{Op: wire.OpHostCall, ID: 5, B: wire.MaxHostMessage + 1, Length: 1 << 40}).Append(nil)), errNonsense, nil, ""},
		"too long blobs":         {call(5, 4, 33), errNonsense, nil, ""},
		"names":                  {frame(Frame{Op: wire.OpHostResolve, ID: 5, Instance: 1 << 31}, "name"), io.EOF, nil, ""},
		"too long names":         {string((&Frame{Op: wire.OpHostResolve, ID: 5, Length: 2*contract.MaxName + 1}).Append(nil)), errNonsense, nil, ""},
		"an answer to itself":    {frame(Frame{Op: wire.OpHostAnswer, ID: 5}, ""), errNonsense, nil, ""},
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
	assert.Equal(t, len(sent), cap(data), "nor more than is sent")
}

// echoes is a host whose methods answer their arguments.
type echoes struct{}

func (echoes) Resolve(context.Context, string, string) (typeID, methodID uint32, code abi.Code) {
	return 1, 2, abi.OK
}

func (echoes) Invoke(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
	c.Code, c.ResultLength = abi.OK, uintptr(copy(c.ResultBuffer(), c.Message()))
}

func FuzzPipe(f *testing.F) {
	f.Add([]byte(frame(Frame{Op: wire.OpHostCall, ID: wire.Slots + 3, B: 24, A: 9}, "threads!\x01\x00\x01\x00\x0a\x00\x10\x00\x20\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00b")))
	f.Add([]byte(frame(Frame{Op: wire.OpHostResolve, ID: 5, Instance: 3}, "names")))
	f.Add([]byte(frame(Frame{Op: wire.OpAnswer, ID: 5}, "abc")))
	f.Add([]byte(frame(Frame{Op: wire.OpLine, ID: 2}, "abc")))
	f.Fuzz(func(t *testing.T, sent []byte) {
		h := listener(new(heard))
		require.Error(t, h.receive(bufio.NewReader(bytes.NewReader(sent))), "the bytes come to an end")
		require.LessOrEqual(t, len(h.callers[5].data), 16)
		for i := range h.hostCalls {
			s := h.hostCalls[i].Load()
			if len(s.came) > 0 || s.busy.Load() && len(h.callers[5].told) > 0 {
				h.carryOut(t.Context(), s)
			}
		}
	})
}
