package isolate_test

import (
	"os"
	"testing"

	"github.com/nyash-plugins/nyash-go/internal/isolate/worker"
)

func TestMain(m *testing.M) {
	worker.Main() // the test program is its own worker
	os.Exit(m.Run())
}
