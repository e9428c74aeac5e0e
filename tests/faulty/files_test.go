package faulty

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// TestFiles_Good has io on boxes of files that deal with what fails in ways which look like a fault.
func TestFiles_Good(t *testing.T) {
	for name, library := range map[string]string{
		"FileBox": ccbuild.Plugin(t, "filebox"),
		"Notes":   ccbuild.Library(t, "testdata/good/notes.c", "-fvisibility=hidden"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt, err := plugintest.New(plugintest.Config{File: library, Seed: 1, Worker: ccbuild.TestersWorker(t)})
			require.NoError(t, err)
			report, err := tt.Run(context.Background(), "io")
			require.NoError(t, err)
			assert.Empty(t, report.Findings)
		})
	}
}

// TestFiles_Found has io alone on boxes of files with a fault each.
func TestFiles_Found(t *testing.T) {
	for name, want := range map[string]string{
		"notes_trusts_size":   "io-wrong Notes.read",
		"notes_short_write":   "io-wrong Notes.write",
		"notes_copy_position": "io-wrong Notes.copy",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt, err := plugintest.New(plugintest.Config{
				File: ccbuild.Library(t, "testdata/"+name+".c", "-fvisibility=hidden"), Seed: 1, Worker: ccbuild.TestersWorker(t),
			})
			require.NoError(t, err)
			report, err := tt.Run(context.Background(), "io")
			require.NoError(t, err)
			assert.Contains(t, findings(report), want)
		})
	}
}
