package plugintest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// shop is a library with tables beside the four functions.
func shop(t *testing.T, flags ...string) string {
	return ccbuild.Library(t, "testdata/shop.c", append([]string{"-fvisibility=hidden"}, flags...)...)
}

// found lists findings as code, place and message.
func found(r *plugintest.Report) []string {
	all := []string{}
	for i := range r.Findings {
		f := &r.Findings[i]
		all = append(all, fmt.Sprintf("%s %s: %s", f.Code, f.Place(), f.Message))
	}
	return all
}

// run runs one check.
func run(t *testing.T, config plugintest.Config, check string) *plugintest.Report {
	t.Helper()
	config.Worker = ccbuild.TestersWorker(t)
	report, err := open(t, config).Run(context.Background(), check)
	require.NoError(t, err)
	return report
}

// A box with a table has no batches, though the library exports nyash_plugin_invoke_batch.
func TestTables_NoBatches(t *testing.T) {
	report := run(t, plugintest.Config{File: shop(t)}, "protocol")
	assert.Empty(t, found(report))
}
