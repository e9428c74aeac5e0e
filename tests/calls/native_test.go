package calls

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// relay builds the plugin that calls what it is asked to, as a box of that name, and
// returns its entry in a nyash.toml.
func relay(t testing.TB, name string, uses []string, more string, flags ...string) string {
	library := ccbuild.Library(t, "testdata/relay.c", append([]string{fmt.Sprintf("-DTYPE_NAME=%q", name)}, flags...)...)
	quoted := make([]string, len(uses))
	for i, u := range uses {
		quoted[i] = fmt.Sprintf("%q", u)
	}
	return fmt.Sprintf("[plugins.%s]\nlibrary = %q\nuses = [%s]\n%s\n", name, library, strings.Join(quoted, ", "), more)
}

func failsWith(t *testing.T, box *loader.Box, code abi.Code, message string, method string, args ...any) {
	t.Helper()
	_, err := box.Call(t.Context(), method, args...)
	require.ErrorIs(t, err, code)
	assert.ErrorContains(t, err, message)
}

func TestCall_Plugin(t *testing.T) {
	h := hosttest.Open(t, relay(t, "A", []string{"B"}, "")+relay(t, "B", nil, ""))
	a := hosttest.New(t, h, "A")
	assert.EqualValues(t, 5, hosttest.CallInt(t, a, "ask", "B", "add", 2, 3))
	assert.EqualValues(t, 5, hosttest.CallInt(t, a, "thread", "B", "add", 2, 3))
	failsWith(t, a, abi.ErrPlugin, "no such thing", "ask", "B", "fail", "no such thing")
	failsWith(t, a, abi.ErrNotPermitted, "", "ask", "A", "add", 2, 3)
}
