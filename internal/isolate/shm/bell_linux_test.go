package shm

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

// bell rings a number of times and is gone.
type bell struct{ rings int }

func (b *bell) Read(p []byte) (int, error) {
	if b.rings == 0 {
		return 0, io.EOF
	}
	b.rings--
	return 1, nil
}

// TestABellThatRingsForNothing has the host rest after each look, and not after
// one that was worth it.
func TestABellThatRingsForNothing(t *testing.T) {
	looks, rests := 0, 0
	answerBell(&bell{rings: 1000}, func() bool { looks++; return looks%10 == 0 }, func() { rests++ })
	assert.Equal(t, 1000, looks)
	assert.Equal(t, 900, rests)
}
