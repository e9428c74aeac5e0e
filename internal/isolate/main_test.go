package isolate_test

import (
	"os"
	"testing"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/isolate/worker"
)

func TestMain(m *testing.M) {
	worker.Main() // the test program is its own worker
	os.Exit(m.Run())
}

// memory is what stands at an address of this process.
func memory(addr, length uint64) []byte { return cmem.Memory(uintptr(addr), int(length)) }
