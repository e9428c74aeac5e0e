package plugintest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

var update = flag.Bool("update", false, "write golden files and the table of docs/tester.md")

const (
	document  = "../../docs/tester.md"
	tableHead = "| code | severity | what is wrong | expected | fix | example |\n|---|---|---|---|---|---|\n"
)

// examples are the plugins of tests/faulty, by the code that they show.
func examples(t *testing.T) map[string][]string {
	files, err := filepath.Glob("../../tests/faulty/testdata/*.c*")
	require.NoError(t, err)
	want := regexp.MustCompile(`(?m)^// want: (\S+)`)
	all := make(map[string][]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range want.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(all[m[1]], filepath.Base(file)) {
				all[m[1]] = append(all[m[1]], filepath.Base(file))
			}
		}
	}
	return all
}

// TestRules_Documented checks that docs/tester.md explains every code, with a plugin
// that has the fault.
func TestRules_Documented(t *testing.T) {
	examples := examples(t)
	table := tableHead
	seen := make(map[string]bool)
	for _, r := range plugintest.Rules() {
		assert.False(t, seen[r.Code], "%s twice", r.Code)
		seen[r.Code] = true
		example := "any file that is not a library"
		if files := examples[r.Code]; len(files) > 0 {
			example = fmt.Sprintf("[%s](../tests/faulty/testdata/%s)", files[0], files[0])
		} else {
			assert.Equal(t, "not-a-library", r.Code, "no plugin in tests/faulty shows %s", r.Code)
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n", r.Code, r.Severity, r.Title, r.Expected, r.Fix, example)
	}
	data, err := os.ReadFile(document)
	require.NoError(t, err)
	text := string(data)
	begin := strings.Index(text, tableHead)
	require.GreaterOrEqual(t, begin, 0, "docs/tester.md has no table of codes")
	end := begin + strings.Index(text[begin:]+"\n\n", "\n\n") + 1
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(text[:begin]+table+text[end:]), 0o644))
		return
	}
	assert.Equal(t, table, text[begin:end], "run the test with -update")
}
