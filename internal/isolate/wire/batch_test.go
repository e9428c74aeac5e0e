package wire

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
)

const most = 4096

// batchOf are calls with messages of these lengths.
func batchOf(room int, lengths ...int) []abi.Call {
	calls := make([]abi.Call, len(lengths))
	for i, n := range lengths {
		calls[i] = abi.Call{TypeID: 7, Method: uint32(i), Instance: 9}
		calls[i].SetArgs(bytes.Repeat([]byte{byte(i + 1)}, n))
		calls[i].SetResultBuffer(make([]byte, room))
	}
	return calls
}

func TestFitBatch(t *testing.T) {
	another := func(change func(*abi.Call)) []abi.Call {
		calls := batchOf(64, 8, 8, 8)
		change(&calls[2])
		return calls
	}
	tests := map[string]struct {
		calls []abi.Call
		fit   int
	}{
		"none":                      {nil, 0},
		"all":                       {batchOf(64, 0, 1, 8, 9), 4},
		"a room that is too large":  {batchOf(most+1, 1), 0},
		"a room and no head":        {batchOf(most, 1), 0},
		"the largest room":          {batchOf(most-longHead, 1, 1), 1},
		"no room":                   {batchOf(0, make([]int, 1000)...), most / longHead},
		"a message that is long":    {batchOf(64, 8, most, 8), 1},
		"the longest message":       {batchOf(64, most-requestHead, 8), 1},
		"one byte more":             {batchOf(64, most-requestHead+1), 0},
		"another type":              {another(func(c *abi.Call) { c.TypeID++ }), 2},
		"another instance":          {another(func(c *abi.Call) { c.Instance++ }), 2},
		"another room":              {another(func(c *abi.Call) { c.SetResultBuffer(make([]byte, 8)) }), 2},
		"as many as there is room":  {batchOf(1024, make([]int, 100)...), most / (longHead + 1024)},
		"a message of no real size": {another(func(c *abi.Call) { c.ArgsLength = math.MaxUint }), 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := FitBatch(tt.calls, most)
			assert.Equal(t, tt.fit, b.Calls)
			assert.LessOrEqual(t, b.Request, uint64(most))
			assert.LessOrEqual(t, b.Answers, uint64(most))
			if b.Calls > 0 {
				assert.LessOrEqual(t, b.RoomsSize(), uint64(most))
			}
		})
	}
}

// TestBatch_Both sends a batch from one end to the other and back.
func TestBatch_Both(t *testing.T) {
	const room = 40
	for name, single := range map[string]bool{"in one crossing": false, "one by one": true} {
		t.Run(name, func(t *testing.T) {
			calls := batchOf(room, 0, 1, 8, 40, 41, 7)
			lengths := []uint64{0, 1, 8, room, math.MaxUint32, math.MaxUint64}
			codes := []abi.Code{abi.OK, abi.ErrPlugin, abi.OK, abi.OK, abi.Code(math.MinInt32), abi.ErrShortBuffer}
			b := FitBatch(calls, most)
			require.Equal(t, len(calls), b.Calls)
			request, answers, memory := make([]byte, b.Request), make([]byte, b.Answers), bytes.Repeat([]byte{0xaa}, most)
			PutBatch(request, calls)

			var w BatchCalls
			w.Parse(&b, request, memory)
			w.Arm()
			at := uint64(0)
			for i := range w.Calls {
				c := &w.Calls[i]
				if single {
					c = w.Single(i)
				}
				want := &calls[i]
				assert.Equal(t, []uint32{want.TypeID, want.Method, want.Instance}, []uint32{c.TypeID, c.Method, c.Instance})
				assert.Equal(t, want.Message(), c.Message())
				result := c.ResultBuffer()
				require.Len(t, result, room)
				assert.Equal(t, make([]byte, 4), result[:4], "a library that writes nothing shows")
				copy(result, bytes.Repeat([]byte{byte(0xf0 + i)}, room))
				c.Code, c.ResultLength = codes[i], uintptr(lengths[i])
				if single {
					assert.Equal(t, &memory[most-1], &result[room-1], "in front of the guarded page")
					at = w.Put(answers, at, i, true)
				}
			}
			w.Check()
			for i := range w.Calls {
				if !single {
					at = w.Put(answers, at, i, false)
				}
			}
			require.LessOrEqual(t, at, b.Answers)

			var a Answers
			assert.Equal(t, 2, a.Read(calls, 2, answers), "the first ones")
			assert.Equal(t, 2, a.Read(calls, 1, answers), "again")
			assert.Equal(t, len(calls), a.Read(calls, math.MaxUint64, answers))
			for i := range calls {
				assert.Equal(t, codes[i], calls[i].Code)
				assert.EqualValues(t, lengths[i], calls[i].ResultLength)
				calls[i].ResultLength = room
				n := min(lengths[i], room)
				if codes[i] == abi.ErrShortBuffer {
					n = 0
				}
				want := append(bytes.Repeat([]byte{byte(0xf0 + i)}, int(n)), make([]byte, room-n)...)
				assert.Equal(t, want, calls[i].ResultBuffer())
			}
		})
	}
}

// FuzzAnswers: whatever a worker answers, the host reads within it and writes within its own
// rooms.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0}, uint64(1), uint64(5), uint8(40))
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, uint64(1), uint64(2), uint8(0))
	f.Add([]byte{255, 255, 255, 255, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint64(2), uint64(math.MaxUint64), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, first, then uint64, room uint8) {
		const canary = 0xc9
		calls := make([]abi.Call, 5)
		memory := bytes.Repeat([]byte{canary}, len(calls)*(int(room)+1))
		for i := range calls {
			calls[i].SetResultBuffer(memory[i*(int(room)+1):][:room])
			calls[i].Code = 77
		}
		var a Answers
		n := a.Read(calls, first, data)
		require.LessOrEqual(t, uint64(n), first)
		require.LessOrEqual(t, n, a.Read(calls, then, data))
		n = a.read
		require.LessOrEqual(t, n, len(calls))
		require.LessOrEqual(t, a.at, uint64(len(data)))
		for i := range calls {
			require.EqualValues(t, canary, memory[i*(int(room)+1)+int(room)])
			if i >= n {
				require.EqualValues(t, 77, calls[i].Code, "what was not answered is as it was")
				require.EqualValues(t, room, calls[i].ResultLength)
			}
		}
	})
}
