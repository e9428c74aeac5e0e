package cmem_test

import (
	"math"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

func TestReadable(t *testing.T) {
	page := uint64(os.Getpagesize())
	data := make([]byte, 16*page)
	addr := cmem.Address(data)
	tests := map[string]struct {
		addr, length uint64
		want         bool
	}{
		"all":           {addr, uint64(len(data)), true},
		"a byte":        {addr + page - 1, 1, true},
		"two pages":     {addr + page - 1, 2, true},
		"nothing":       {addr, 0, true},
		"a constant":    {uint64(uintptr(unsafe.Pointer(unsafe.StringData("constant")))), 8, true},
		"NULL":          {0, 1, false},
		"near NULL":     {100, 1, false},
		"nowhere":       {1 << 45, 1, false},
		"a wild length": {addr, 1 << 50, false},
		"over the end":  {math.MaxUint64 - 1, 2, false},
		"around":        {addr, math.MaxUint64, false},
	}
	for name, tt := range tests {
		assert.Equal(t, tt.want, cmem.Readable(tt.addr, tt.length), name)
	}
}
