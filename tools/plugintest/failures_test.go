package plugintest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// A finding of a call in which memory runs out has the calls before it, and those after it that show it.
func TestFailures_Steps(t *testing.T) {
	library := ccbuild.Library(t, "../../tests/faulty/testdata/kinds_no_room.c")
	report := run(t, plugintest.Config{File: library, Seed: 1, Until: "half-done"}, "failures")
	require.Len(t, report.Findings, 1)
	f := report.Findings[0]
	assert.Empty(t, f.Sequence, "no script makes memory run out")
	require.GreaterOrEqual(t, len(f.Steps), 3)
	first, call, last := f.Steps[0], f.Steps[1], f.Steps[len(f.Steps)-1]
	assert.Equal(t, plugintest.Step{Thread: 1, Instance: "kinds1", Call: "birth()", Answer: "a new instance"}, first)
	assert.Equal(t, `label("a")`, call.Call)
	assert.Equal(t, "code -6", call.Answer)
	assert.Regexp(t, "^as its call [12] of another library, malloc at \\S*kinds\\.h:\\d+, found no memory$", call.Note)
	assert.True(t, call.Fault)
	assert.Equal(t, plugintest.Step{Thread: 1, Instance: "kinds1", Call: "texts()", Answer: "i64 1"}, last)
}
