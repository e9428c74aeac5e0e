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

// mode is "all" where all mutants are tried, as `make mutants` does, and "report" where only what
// is known of them is shown.
var mode = os.Getenv("NYASH_TEST_MUTANTS")

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
	t.Cleanup(func() { assert.NoError(t, r.file.Close()) })
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
	if mode == "" {
		return // TestSample has some of them
	}
	var all []*trial
	for i := range plugins {
		if p := &plugins[i]; len(only) == 0 || slices.Contains(only, p.name) {
			all = append(all, newTrial(t, p))
		}
	}
	// Those last of which nothing is expected.
	for _, classes := range [][]class{{killable}, {noOracle}, {equivalent}} {
		for n := range rounds {
			for _, trial := range all {
				if mode == "all" && !t.Failed() {
					trial.round(t, n, classes)
				}
			}
		}
	}
	for _, trial := range all {
		trial.report(t)
	}
}

// trial is a plugin with what is known of its mutants.
type trial struct {
	plugin   *plugin
	bench    *bench
	chosen   []Mutant
	verdicts map[string]verdict
	results  *results
}

func newTrial(t *testing.T, p *plugin) *trial {
	module := ccbuild.Root(t)
	sources, err := p.read(module)
	require.NoError(t, err)
	r := &trial{plugin: p, bench: &bench{plugin: p, module: module, worker: ccbuild.TestersWorker(t), sources: sources}, results: openResults(t, p.name)}
	r.chosen, err = p.chosen(sources)
	require.NoError(t, err)
	r.verdicts, err = p.verdicts()
	require.NoError(t, err)
	return r
}

// key names a mutant and all that it is made of.
func (r *trial) key(m *Mutant) string {
	return m.ID() + " " + hash(r.plugin, with(r.bench.sources, m))
}

func (r *trial) result(m *Mutant) string { return r.results.done[r.key(m)] }

func (r *trial) class(m *Mutant) class {
	if v, ok := r.verdicts[m.ID()]; ok {
		return v.class
	}
	return killable
}

// survived is the result of a mutant that rounds have not killed.
func survived(rounds int) string {
	if rounds == 0 {
		return ""
	}
	return fmt.Sprintf("survived %d", rounds)
}

func (r *trial) round(t *testing.T, n int, classes []class) {
	var queue []*Mutant
	for i := range r.chosen {
		if m := &r.chosen[i]; slices.Contains(classes, r.class(m)) && r.result(m) == survived(n) {
			queue = append(queue, m)
		}
	}
	if len(queue) == 0 {
		return
	}
	if err := r.bench.prepare(t.Context(), rounds[n]); err != nil {
		t.Errorf("%s: %v", r.plugin.name, err)
		return
	}
	work(t.Context(), queue, func(m *Mutant) {
		k, err := r.bench.try(t.Context(), with(r.bench.sources, m), rounds[n].checks, rounds[n].budget, rounds[n].seed)
		result := survived(n + 1)
		switch {
		case t.Context().Err() != nil:
			return
		case err != nil:
			result = "undecided " + strings.Join(strings.Fields(err.Error()), " ")
		case k.code != "":
			result = fmt.Sprintf("killed %s %s %.0fs %s", k.code, k.check, k.seconds, k.place)
		}
		t.Logf("%s %s (%s): %s", r.plugin.name, m.ID(), m.Change(), result)
		r.results.add(r.key(m), result)
	})
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

// report shows a row of the table in docs/tester.md, and the mutants that were not killed.
func (r *trial) report(t *testing.T) {
	count, killed := make(map[class]int), make(map[class]int)
	open := 0
	var survivors strings.Builder
	for i := range r.chosen {
		m := &r.chosen[i]
		class, result := r.class(m), r.result(m)
		count[class]++
		switch {
		case strings.HasPrefix(result, "killed"):
			killed[class]++
			if class == equivalent {
				t.Errorf("%s %s is said to be equivalent (%s), and was %s", r.plugin.name, m.ID(), r.verdicts[m.ID()].reason, result)
			}
		case class == killable:
			fmt.Fprintf(&survivors, "- `%s`: `%s` (%s)\n", m.ID(), m.Change(), result)
			fallthrough
		default:
			if result != survived(len(rounds)) {
				open++
			}
		}
	}
	t.Logf("\n| %s | %d | %d | %d | %d of %d, %s | %d of %d, %s |\n%d not tried to the end\n%s", r.plugin.name, len(r.chosen), count[equivalent], count[noOracle],
		killed[killable], count[killable], percent(killed[killable], count[killable]),
		killed[killable]+killed[noOracle], count[killable]+count[noOracle], percent(killed[killable]+killed[noOracle], count[killable]+count[noOracle]),
		open, survivors.String())
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
	b := &bench{plugin: p, module: module, worker: ccbuild.TestersWorker(t), sources: sources}
	for _, tt := range []struct{ operator, was, code string }{
		{conditionFalse, "!fits(r, size)", "result-overrun"},
		{returnOK, "return NYASH_E_INVALID_TYPE;", "type-unchecked"},
		{statementDeletion, "*r.length = ANSWERED(8 + size);", "result-length"},
		{constantPlus, "64", ""}, // how many instances there is room for at first
	} {
		t.Run(tt.operator+" "+tt.was, func(t *testing.T) {
			i := slices.IndexFunc(all, func(m Mutant) bool { return m.Operator == tt.operator && m.Was == tt.was })
			require.GreaterOrEqual(t, i, 0)
			k, err := b.try(t.Context(), with(sources, &all[i]), []string{"check", "typecheck", "protocol"}, quick, 1)
			require.NoError(t, err)
			assert.Equal(t, tt.code, k.code)
		})
	}
}
