package mutants

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

func TestMain(m *testing.M) {
	probe.Main()
	os.Exit(m.Run())
}

// whole is whether all mutants are tried, as `make mutants` does.
var whole = os.Getenv("NYASH_TEST_MUTANTS") == "all"

// atOnce is how many are.
const atOnce = 2

// results are those of one plugin, in a file that a run which was interrupted goes on with. Each
// line has the mutant, a hash of its source, and what found it.
type results struct {
	mu   sync.Mutex
	file *os.File
	done map[string]string
}

func openResults(t *testing.T, name string) *results {
	folder := filepath.Join(ccbuild.Root(t), "bin", "mutants")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	path := filepath.Join(folder, name+".txt")
	before, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	r := &results{done: make(map[string]string)}
	for line := range strings.Lines(string(before)) {
		if id, result, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok && strings.HasSuffix(line, "\n") {
			r.done[id] = result
		}
	}
	r.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { r.file.Close() })
	return r
}

func (r *results) add(id, result string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[id] = result
	fmt.Fprintf(r.file, "%s\t%s\n", id, result)
}

// hash is of all that a mutant is made of.
func hash(p *plugin, sources map[string]string) string {
	h := sha256.New()
	for _, name := range p.files {
		fmt.Fprintf(h, "%s\n%s\n", name, sources[name])
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}

func TestMutants(t *testing.T) {
	if !whole {
		return // TestSample has some of them
	}
	for i := range plugins {
		if p := &plugins[i]; only == "" || only == p.name {
			t.Run(p.name, func(t *testing.T) { try(t, p) })
		}
	}
}

func try(t *testing.T, p *plugin) {
	module := ccbuild.Root(t)
	sources, err := p.read(module)
	require.NoError(t, err)
	chosen, err := p.chosen(sources)
	require.NoError(t, err)
	verdicts, err := p.verdicts()
	require.NoError(t, err)
	b := &bench{plugin: p, module: module, worker: ccbuild.TestersWorker(t), sources: sources}
	done := openResults(t, p.name)
	key := func(m *Mutant) string { return m.ID() + " " + hash(p, with(sources, m)) }

	var queue []*Mutant // those last of which nothing is expected
	for _, class := range []class{killable, noOracle, equivalent} {
		for i := range chosen {
			m := &chosen[i]
			if classOf(verdicts, m) == class && done.done[key(m)] == "" {
				queue = append(queue, m)
			}
		}
	}
	if len(queue) > 0 {
		require.NoError(t, b.prepare(t.Context()))
		require.Empty(t, b.known, "the tester finds something in the plugin itself")
		work(t.Context(), queue, func(m *Mutant) {
			k, err := b.judge(t.Context(), m)
			result := "survived"
			switch {
			case t.Context().Err() != nil:
				return
			case err != nil:
				result = "undecided " + strings.Join(strings.Fields(err.Error()), " ")
			case k.code != "":
				result = fmt.Sprintf("killed %s %s %.0fs %s", k.code, k.check, k.seconds, k.place)
			}
			t.Logf("%s (%s): %s", m.ID(), m.Change(), result)
			done.add(key(m), result)
		})
	}
	report(t, p, chosen, verdicts, func(m *Mutant) string { return done.done[key(m)] })
}

func work(ctx context.Context, queue []*Mutant, do func(*Mutant)) {
	next := make(chan *Mutant)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for m := range next {
				do(m)
			}
		})
	}
	for _, m := range queue {
		if ctx.Err() != nil {
			break
		}
		next <- m
	}
	close(next)
	all.Wait()
}

func classOf(verdicts map[string]verdict, m *Mutant) class {
	if v, ok := verdicts[m.ID()]; ok {
		return v.class
	}
	return killable
}

// report shows a row of the table in docs/tester.md, and the mutants that were not killed.
func report(t *testing.T, p *plugin, chosen []Mutant, verdicts map[string]verdict, result func(*Mutant) string) {
	count := make(map[class]int)
	killed := make(map[class]int)
	var survivors strings.Builder
	for i := range chosen {
		m := &chosen[i]
		class, text := classOf(verdicts, m), result(m)
		count[class]++
		switch {
		case strings.HasPrefix(text, "killed"):
			killed[class]++
			if class == equivalent {
				t.Errorf("%s is said to be equivalent (%s), and was %s", m.ID(), verdicts[m.ID()].reason, text)
			}
		case class == killable:
			fmt.Fprintf(&survivors, "- `%s`: `%s` (%s)\n", m.ID(), m.Change(), text)
		}
	}
	others := killed[killable] + killed[noOracle]
	t.Logf("\n| %s | %d | %d | %d | %d | %d | %d | %s | %s |\n\n%s", p.name, len(chosen), count[equivalent], count[noOracle],
		killed[killable], count[killable]-killed[killable], killed[noOracle],
		percent(killed[killable], count[killable]), percent(others, count[killable]+count[noOracle]), survivors.String())
}

func percent(n, of int) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
}

// TestSample tries a few mutants, with those checks that take the least time.
func TestSample(t *testing.T) {
	p := &plugins[slices.IndexFunc(plugins, func(p plugin) bool { return p.name == "good" })]
	module := ccbuild.Root(t)
	sources, err := p.read(module)
	require.NoError(t, err)
	all := p.mutants(sources)
	b := &bench{plugin: p, module: module, worker: ccbuild.TestersWorker(t), sources: sources, checks: []string{"check", "typecheck", "protocol"}}
	for _, tt := range []struct{ operator, was, code string }{
		{conditionFalse, "!fits(r, size)", "result-overrun"},
		{returnOK, "return NYASH_E_INVALID_TYPE;", "type-unchecked"},
		{statementDeletion, "*r.length = ANSWERED(8 + size);", "result-length"},
		{constantPlus, "64", ""}, // how many instances there is room for at first
	} {
		t.Run(tt.operator+" "+tt.was, func(t *testing.T) {
			i := slices.IndexFunc(all, func(m Mutant) bool { return m.Operator == tt.operator && m.Was == tt.was })
			require.GreaterOrEqual(t, i, 0)
			k, err := b.try(t.Context(), with(sources, &all[i]), b.checks, quick, 1)
			require.NoError(t, err)
			assert.Equal(t, tt.code, k.code)
		})
	}
}
