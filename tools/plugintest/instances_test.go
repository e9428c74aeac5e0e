package plugintest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// A method that takes a box is called with instances of each box of the library.
func TestInstances(t *testing.T) {
	const declared = "take = { args = [ { name = \"box\", type = \"box\" } ] }\nmake ="
	for name, tt := range map[string]struct {
		config func(*testing.T) plugintest.Config
		found  []string
		calls  string // a line of typecheck
	}{
		"another box": {config: func(t *testing.T) plugintest.Config { return plugintest.Config{File: shop(t)} }},
		"a crash with one": {
			config: func(t *testing.T) plugintest.Config { return plugintest.Config{File: shop(t, "-DPUT=abort()")} },
			found:  []string{"crash BagBox.put: SIGABRT (aborted)"},
		},
		"a birth with one": {config: func(t *testing.T) plugintest.Config { return plugintest.Config{File: shop(t, "-DFILLED")} }},
		"none that is taken": {
			config: func(t *testing.T) plugintest.Config {
				library := odd(t)
				beside(t, library, strings.Replace(oddManifest, "make =", declared, 1))
				return plugintest.Config{File: library}
			},
			found: []string{"not-exercised OddBox.take: it refuses all arguments that were tried, instances of each box with code -8"},
		},
		"of no declared type": {
			config: func(t *testing.T) plugintest.Config {
				return inTOML(t, odd(t), "[plugins]\nMoreBox = %[1]q\n[plugins.OddBox]\nlibrary = %[1]q\nmethods = { take = {} }")
			},
			found: []string{"not-exercised OddBox.take: it refuses all arguments that were tried, instances of each box with code -8"},
		},
		"one word alone": {
			config: func(t *testing.T) plugintest.Config { return plugintest.Config{File: shop(t, "-DSEALED")} },
			found:  []string{"not-exercised BagBox.seal: it refuses all arguments that were tried"},
		},
		"the word is given": {
			config: func(t *testing.T) plugintest.Config {
				return plugintest.Config{File: shop(t, "-DSEALED"), Calls: []plugintest.Invocation{{Box: "BagBox", Method: "seal", Args: []tlv.Value{tlv.String("xyzzy")}}}}
			},
			calls: `BagBox.seal("xyzzy"): void`,
		},
		"an instance is given": {
			config: func(t *testing.T) plugintest.Config {
				call, err := plugintest.ParseCall("BagBox.put=handle:ItemBox")
				require.NoError(t, err)
				return plugintest.Config{File: shop(t), Calls: []plugintest.Invocation{call}}
			},
			calls: "BagBox.put(handle(1:2)): i64 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, tt.config(t), "typecheck")
			assert.Equal(t, append([]string{}, tt.found...), found(report))
			assert.Contains(t, lines(report), tt.calls)
		})
	}
}

// What the user says that a method takes is what all checks call it with.
func TestInstances_CallsAreForAllChecks(t *testing.T) {
	config := plugintest.Config{File: shop(t, "-DSEALED"), Calls: []plugintest.Invocation{{Method: "seal", Args: []tlv.Value{tlv.String("xyzzy")}}}}
	report := run(t, config, "protocol")
	assert.Empty(t, found(report))
	assert.Empty(t, skipped(report))
	config.Calls[0].Boxes = map[int]string{0: "ItenBox"}
	_, err := open(t, config).Run(context.Background(), "protocol")
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	assert.ErrorContains(t, err, "seal: the library has no box ItenBox (did you mean ItemBox?)")
}

// Instances that births are given live as long as they are wanted, in every check.
func TestInstances_GivenToBirths(t *testing.T) {
	library := shop(t, "-DFILLED")
	for _, check := range []string{"lifecycle", "stress"} {
		report := run(t, plugintest.Config{File: library}, check)
		assert.Empty(t, found(report))
		assert.Empty(t, skipped(report))
	}
}

// A finding's input names instances, which tlv-debug makes.
func TestInstances_Debug(t *testing.T) {
	msg, err := tlv.Encode(tlv.HandleValue(tlv.Handle{Type: 1, Instance: 2}))
	require.NoError(t, err)
	_, out, err := open(t, plugintest.Config{File: shop(t), Worker: ccbuild.TestersWorker(t)}).Debug(context.Background(), "BagBox", "put", msg)
	require.NoError(t, err)
	assert.Equal(t, abi.OK, out.Code)
}
