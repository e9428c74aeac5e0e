package mutants

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

var update = flag.Bool("update", false, "choose the mutants anew")

// only names plugins; empty for all.
var only = strings.Fields(os.Getenv("NYASH_TEST_PLUGIN"))

// TestChoose writes the list of mutants of each plugin.
func TestChoose(t *testing.T) {
	if !*update {
		return
	}
	for i := range plugins {
		p := &plugins[i]
		if len(only) > 0 && !slices.Contains(only, p.name) {
			continue
		}
		chosen, err := p.choose(t.Context(), ccbuild.Root(t), t.TempDir())
		require.NoError(t, err)
		sources, err := p.read(ccbuild.Root(t))
		require.NoError(t, err)
		t.Logf("%s: %d of %d mutants are chosen", p.name, len(chosen), len(p.mutants(sources)))
		var out strings.Builder
		for _, m := range chosen {
			fmt.Fprintf(&out, "%s\t%s\n", m.ID(), m.Change())
		}
		require.NoError(t, os.WriteFile(filepath.Join("testdata", p.name+".txt"), []byte(out.String()), 0o644))
	}
}
