// Package calls tests plugins that call their host, and each other.
package calls

import (
	"testing"

	"github.com/nyash-plugins/nyash-go/loader/worker"
)

func TestMain(m *testing.M) {
	worker.Main()
	m.Run()
}
