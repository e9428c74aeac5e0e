package plugintest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// More arguments than are declared are given where they may be.
func TestOptional_More(t *testing.T) {
	library := odd(t, "-DALONE=if (c->argc == 2) return answer_text(c, \"\")")
	beside(t, library, strings.Replace(oddManifest, "[OddBox.methods]", `[OddBox.methods]
range = { args = [ { name = "from", type = "i64" }, { name = "more", type = "varargs" } ], returns = "i64" }`, 1))
	report := run(t, plugintest.Config{File: library}, "typecheck")
	assert.Equal(t, []string{strings.Replace(otherResult, "line 8", "line 6", 1)}, found(report))
}

// That nothing could be called does not look like methods that refuse everything.
func TestInstances_None(t *testing.T) {
	library := odd(t, "-DHALF=return NYASH_E_PLUGIN")
	beside(t, library, strings.Replace(oddManifest, "[OddBox.methods]", "lifecycle.birth = { args = [ { name = \"a\", type = \"string\" } ] }\n[OddBox.methods]", 1))
	report := run(t, plugintest.Config{File: library}, "typecheck")
	assert.Equal(t, []string{"not-exercised OddBox.birth: it answers code -5 to all arguments that were tried"}, found(report))
	assert.Empty(t, skipped(report))
}

// otherResult is the finding of a range that answers a text.
const otherResult = "result-type OddBox.range: it returned string, and nyash_box.toml (line 8) declares i64"

// A call with fewer arguments is made as a host makes it: with the defaults of the others.
func TestOptional(t *testing.T) {
	manifest := strings.Replace(oddManifest, "[OddBox.methods]", `[OddBox.lifecycle]
birth = { args = [ { name = "a", type = "string", default = "" }, { name = "b", type = "string", optional = true } ] }
[OddBox.methods]
range = { args = [ { name = "from", type = "i64", default = 0 }, { name = "to", type = "i64", default = 9 }, { name = "step", type = "i64", optional = true } ], returns = "i64" }`, 1)
	for name, tt := range map[string]struct {
		flag  string
		found []string
	}{
		"nothing wrong":              {"-DALONE=", nil},
		"wrong without step":         {"-DALONE=return answer_text(c, \"\")", []string{otherResult}},
		"wrong with the default":     {"-DALONE=if (integer(&c->args[1]) == 9) return answer_text(c, \"\")", []string{otherResult}},
		"wrong with both defaults":   {"-DALONE=if (integer(&c->args[0]) == 0 && integer(&c->args[1]) == 9) return answer_text(c, \"\")", []string{otherResult}},
		"step must be given":         {"-DALONE=return NYASH_E_INVALID_ARGS", []string{"args-type OddBox.range: it refuses (i64 1, i64 1), which is what it gets where a caller gives 2 arguments, as nyash_box.toml (line 8) allows"}},
		"wrong in birth":             {"-DHALF=return NYASH_E_PLUGIN", []string{"birth-failed OddBox.birth: it answered code -5"}},
		"birth wants both arguments": {"-DHALF=return NYASH_E_INVALID_ARGS", []string{`args-type OddBox.birth: it refuses ("a"), which is what it gets where a caller gives 1 argument, as nyash_box.toml (line 6) allows`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			library := odd(t, tt.flag)
			beside(t, library, manifest)
			report := run(t, plugintest.Config{File: library}, "typecheck")
			each(t, tt.found, found(report))
			assert.Empty(t, skipped(report))
		})
	}
}
