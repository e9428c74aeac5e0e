package pipe

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

func TestFrame(t *testing.T) {
	f := Frame{Op: wire.OpInvoke, ID: 2, TypeID: 3, Method: 4, Instance: 5, Code: -6, A: 1 << 40, B: 8, Length: 9}
	head := f.Append(nil)
	require.Len(t, head, FrameSize)
	assert.Equal(t, f, ParseFrame((*[FrameSize]byte)(head)))
}
