//go:build !linux || !(amd64 || arm64)

package probe

import (
	"context"
	"encoding/json"

	"github.com/nyash-plugins/nyash-go/internal/isolate/worker"
)

// watch answers that calls cannot be watched on this system: without times.
func watch(context.Context, *worker.Worker, []byte) ([]byte, error) { return json.Marshal(Watch{}) }
