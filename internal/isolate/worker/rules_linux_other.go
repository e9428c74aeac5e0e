//go:build linux && !amd64 && !arm64

package worker

import (
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// filterCalls does without a filter: none is written for this processor.
func filterCalls(limits wire.Limits, _ bool) error {
	if limits.Processes != nil && *limits.Processes == 0 {
		return fmt.Errorf("limits.processes = 0 is not supported on %s: leave it out there", runtime.GOARCH)
	}
	return nil
}
