package loader_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// step is a call, made by itself or in a batch.
type step struct {
	method string
	args   []any
}

// steps are calls of every outcome; some depend on those before them.
func steps(box *loader.Box) []step {
	return []step{
		{"add", []any{1, 2}},
		{"calls", nil},
		{"echo", []any{"text"}},
		{"echo", []any{strings.Repeat("x", 5000)}}, // more than a batch has room for
		{"calls", nil},
		{"refuse", nil},
		{"nothing", nil},
		{"demand", nil},
		{"take", []any{box}},
		{"self", nil},
		{"other", nil}, // a handle that nobody knows
		{"echo", []any{[]byte{1}}},
		{"calls", nil},
	}
}

func outcome(r loader.Result, err error) string { return fmt.Sprintf("%v, %v", r, err) }

func TestBatch_SameAsSingleCalls(t *testing.T) {
	for name, flag := range map[string]string{"in one crossing": "-DBATCH", "without the symbol": "-DNO_BATCH", "through a table": "-DTABLE"} {
		for _, threads := range []string{"free", "serial", "pinned"} {
			t.Run(name+", "+threads, func(t *testing.T) {
				toml := probeTOML(probeLibrary(t, flag), fmt.Sprintf("threads = %q", threads))
				var want []string
				box := newBox(t, open(t, toml), "Probe")
				for _, s := range steps(box) {
					want = append(want, outcome(box.Call(t.Context(), s.method, s.args...)))
				}

				box = newBox(t, open(t, probeTOML(probeLibrary(t, flag), fmt.Sprintf("threads = %q", threads))), "Probe")
				batch := box.Batch()
				for _, s := range steps(box) {
					require.NoError(t, batch.Add(s.method, s.args...))
				}
				results, err := batch.Run(t.Context())
				require.NoError(t, err)
				var got []string
				for _, r := range results {
					got = append(got, outcome(r.Result, r.Err))
				}
				assert.Equal(t, want, got)
				assert.Zero(t, batch.Len(), "Run empties the batch")
			})
		}
	}
}

func TestBatch_Errors(t *testing.T) {
	h := open(t, probeTOML(probeLibrary(t, "-DBATCH"), ""))
	box, lent := newBox(t, h, "Probe"), newBox(t, h, "Probe")
	batch := box.Batch()
	require.ErrorIs(t, batch.Add("ad"), loader.ErrNoMethod)
	require.ErrorIs(t, batch.Add("add", 1), abi.ErrInvalidArgs)
	require.ErrorIs(t, batch.Add("take", lent, lent), abi.ErrInvalidArgs)
	require.ErrorIs(t, batch.Add("take", tlv.Handle{Type: 700, Instance: 2}), abi.ErrInvalidArgs)
	method, err := lent.Method("calls")
	require.NoError(t, err)
	require.EqualError(t, batch.AddMethod(method), "batch on Probe(1): calls is a method of Probe(2)")
	require.Zero(t, batch.Len(), "what is refused is not added")
	results, err := batch.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, results)

	require.NoError(t, batch.Add("calls"))
	require.NoError(t, batch.Add("take", lent))
	require.NoError(t, lent.Close())
	_, err = batch.Run(t.Context())
	require.ErrorIs(t, err, loader.ErrClosed)
	assert.EqualValues(t, 1, callInt(t, box, "calls"), "no call of the batch was made")

	done, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, batch.Add("calls"))
	_, err = batch.Run(done)
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, box.Close())
	require.NoError(t, batch.Add("calls"))
	_, err = batch.Run(t.Context())
	require.ErrorIs(t, err, loader.ErrClosed)
}

func TestBatch_WrongCount(t *testing.T) {
	box := newBox(t, open(t, probeTOML(probeLibrary(t, "-DBATCH_LIES"), "")), "Probe")
	batch := box.Batch()
	for range 3 {
		require.NoError(t, batch.Add("births"))
	}
	results, err := batch.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 3)
	var mismatch *loader.ResultError
	for _, r := range results {
		require.ErrorAs(t, r.Err, &mismatch, "nothing was written, so there is no integer")
	}
}

func TestBatch_Builtin(t *testing.T) {
	batch := newBox(t, open(t, ""), "TimeBox").Batch()
	require.NoError(t, batch.Add("format", 0, "2006"))
	require.NoError(t, batch.Add("format", 0, "01"))
	results, err := batch.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 2)
	assert.Equal(t, "1970", results[0].Any())
	assert.Equal(t, "01", results[1].Any())
}

func TestBatch_Reuse(t *testing.T) {
	box := newBox(t, open(t, probeTOML(probeLibrary(t, "-DBATCH"), "")), "Probe")
	add, err := box.Method("add")
	require.NoError(t, err)
	batch := box.Batch()
	var results []loader.BatchResult
	for round := range 10 {
		for i := range 64 {
			require.NoError(t, batch.AddMethod(add, round, i))
		}
		results, err = batch.AppendResults(t.Context(), results[:0])
		require.NoError(t, err)
		require.Len(t, results, 64)
		for i, r := range results {
			require.NoError(t, r.Err)
			require.Equal(t, int64(round+i), r.Any())
		}
	}
}

func BenchmarkBatchOf64(b *testing.B) {
	ctx := context.Background()
	box := newBox(b, open(b, probeTOML(probeLibrary(b, "-DBATCH", "-O2"), "")), "Probe")
	add, err := box.Method("add")
	require.NoError(b, err)
	batch := box.Batch()
	var results []loader.BatchResult
	b.ReportAllocs()
	for b.Loop() {
		for i := range 64 {
			if err := batch.AddMethod(add, 1000, i); err != nil {
				b.Fatal(err)
			}
		}
		if results, err = batch.AppendResults(ctx, results[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/call")
}
