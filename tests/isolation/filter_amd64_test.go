//go:build linux

package isolation

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

func TestFilter_X32(t *testing.T) {
	_, err := confine(t, isolate.Limits{}).try(mSyscall, 0x40000000|unix.SYS_GETPID)
	var crash *transport.CrashError
	require.ErrorAs(t, err, &crash)
	assert.Equal(t, syscall.SIGSYS, crash.Signal)
}
