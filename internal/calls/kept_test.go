package calls

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
)

func TestKept(t *testing.T) {
	call := abi.Call{TypeID: 1, Method: 2, Instance: 3}
	args := []byte("args")
	tests := map[string]struct {
		call abi.Call
		args string
		same bool
	}{
		"the same":         {call, "args", true},
		"another type":     {abi.Call{TypeID: 9, Method: 2, Instance: 3}, "args", false},
		"another method":   {abi.Call{TypeID: 1, Method: 9, Instance: 3}, "args", false},
		"another instance": {abi.Call{TypeID: 1, Method: 2, Instance: 9}, "args", false},
		"other arguments":  {call, "argz", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var k Kept
			budget := NewBudget(100)
			dropped := 0
			a := &Answer{Message: []byte("answer"), Drop: func() { dropped++ }}
			given := []byte("args")
			require.True(t, k.Keep(&call, given, a, budget))
			given[0] = 'x' // the caller's memory is its own again
			got := k.Take(&tt.call, []byte(tt.args))
			if tt.same {
				require.Same(t, a, got)
				assert.Zero(t, dropped)
			} else {
				require.Nil(t, got)
				assert.Equal(t, 1, dropped)
			}
			assert.Nil(t, k.Take(&call, args), "it is kept once")
			k.Drop()
			assert.LessOrEqual(t, dropped, 1)
			assert.True(t, budget.Take(100), "all is given back")
		})
	}
}

func TestKeptByThread(t *testing.T) {
	var k KeptByThread
	budget := NewBudget(1 << 20)
	call := abi.Call{Method: 1}
	dropped := make(map[uint64]int)
	keep := func(thread uint64) {
		require.True(t, k.Keep(thread, &call, []byte{1}, &Answer{Code: abi.Code(thread), Drop: func() { dropped[thread]++ }}, budget))
	}
	for thread := range uint64(maxThreads) {
		keep(thread)
	}
	require.Empty(t, dropped)
	keep(maxThreads + 1000)
	assert.Equal(t, map[uint64]int{0: 1}, dropped, "the oldest makes room")
	assert.Nil(t, k.Take(0, &call, []byte{1}))
	assert.EqualValues(t, 1, k.Take(1, &call, []byte{1}).Code)
	assert.Nil(t, k.Take(1, &call, []byte{1}))
	keep(2)
	assert.Equal(t, 1, dropped[2], "a thread has one answer")
	k.Drop()
	assert.False(t, k.Any())
	assert.Len(t, dropped, maxThreads, "all but the one that was taken")
	assert.True(t, budget.Take(1<<20), "all is given back")
	assert.False(t, k.Keep(1, &call, []byte{1}, new(Answer), budget))
	assert.Nil(t, k.Take(1, &call, []byte{1}))
}
