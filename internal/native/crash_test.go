package native_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/native"
)

// TestTellCrashes: faults of Go stay panics, where those of C are told.
func TestTellCrashes(t *testing.T) {
	const variable = "NYASH_TEST_PANICS"
	if os.Getenv(variable) != "" {
		require.NoError(t, native.TellCrashes("advice"))
		var nothing *int
		func() {
			defer func() { fmt.Println("recovered:", recover()) }()
			*nothing = 1
		}()
		*nothing = 2
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTellCrashes$")
	cmd.Env = append(os.Environ(), variable+"=1")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.Error(t, cmd.Run())
	assert.Contains(t, out.String(), "recovered: runtime error: invalid memory address or nil pointer dereference")
	assert.Contains(t, out.String(), "internal/native_test.TestTellCrashes")
	assert.NotContains(t, out.String(), "advice")
}
