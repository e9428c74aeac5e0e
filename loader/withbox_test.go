package loader_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// ledger is a program's type that is a box.
type ledger struct {
	mu     sync.Mutex
	total  int64
	closed chan struct{}
}

func newLedger(start int64) (*ledger, error) {
	if start < 0 {
		return nil, fmt.Errorf("%w: a ledger begins at 0 or more", abi.ErrInvalidArgs)
	}
	return &ledger{total: start, closed: make(chan struct{})}, nil
}

func (l *ledger) Add(n, times int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += n * times
	return l.total
}

func (l *ledger) AddSmall(n int32) int32                        { return int32(l.Add(int64(n), 1)) }
func (l *ledger) Note(text string, data []byte) (string, error) { return text + string(data), nil }
func (l *ledger) Half(f float64) float64                        { return f / 2 }
func (l *ledger) Join(first string, more ...any) string         { return fmt.Sprint(first, more) }
func (l *ledger) Take(box any) any                              { return box }
func (l *ledger) Fail() error                                   { return errors.New("no more\x1b[2J") }
func (l *ledger) Panic() int                                    { panic("oops") }
func (l *ledger) Who(ctx context.Context) any                   { return ctx.Value(who{}) }
func (l *ledger) Self() *ledger                                 { return l }
func (l *ledger) Close() error                                  { close(l.closed); return nil }

type who struct{}

// ledgerBox are the methods of a ledger that are a box's.
type ledgerBox interface {
	Add(n, times int64) int64
	AddSmall(n int32) int32
	Note(text string, data []byte) (string, error)
	Half(f float64) float64
	Join(first string, more ...any) string
	Take(box any) any
	Fail() error
	Panic() int
	Who(ctx context.Context) any
	Close() error
}

func withLedger() loader.Option {
	return loader.WithBox("LedgerBox", func(start int64) (ledgerBox, error) { return newLedger(start) })
}

func TestWithBox(t *testing.T) {
	h := open(t, "", withLedger())
	assert.Equal(t, []string{"LedgerBox", "ConsoleBox", "TimeBox"}, h.Boxes())
	box, err := h.New(t.Context(), "LedgerBox", 10)
	require.NoError(t, err)
	var none []any
	for name, tt := range map[string]struct {
		method string
		args   []any
		want   any
	}{
		"typed":                 {"add", []any{2, int64(0)}, int64(10)},
		"reflected":             {"addSmall", []any{0}, int32(10)},
		"string and bytes":      {"note", []any{"a", []byte("b")}, "ab"},
		"an integer as a float": {"half", []any{5}, 2.5},
		"variadic":              {"join", []any{"a", 1, "b", 2.5, nil}, "a[1 b 2.5 <nil>]"},
		"any":                   {"take", []any{[]byte{1}}, []byte{1}},
		"any, nothing":          {"take", []any{nil}, nil},
		"the caller's context":  {"who", none, "caller"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := box.Call(context.WithValue(t.Context(), who{}, "caller"), tt.method, tt.args...)
			require.NoError(t, err)
			assert.Equal(t, tt.want, r.Any())
		})
	}
	for name, tt := range map[string]struct {
		method string
		args   []any
		code   error
		want   string
	}{
		"error":        {"fail", none, abi.ErrPlugin, `LedgerBox.fail: plugin error (-5): no more\x1b[2J`},
		"panic":        {"panic", none, abi.ErrPlugin, `LedgerBox.panic: plugin error (-5): panic: oops`},
		"count":        {"add", []any{1}, abi.ErrInvalidArgs, `LedgerBox.add: it takes 2 (arg1, arg2), and got 1`},
		"type":         {"add", []any{1, "a"}, abi.ErrInvalidArgs, `LedgerBox.add: argument 2 (arg2): it must be an integer, and this is a string`},
		"range":        {"addSmall", []any{1 << 40}, abi.ErrInvalidArgs, `LedgerBox.addSmall: argument 1 (arg1): 1099511627776 does not fit an i32`},
		"a box":        {"take", []any{box}, abi.ErrInvalidArgs, `LedgerBox.take: invalid arguments (-4): argument 1: it is a handle, which methods of Go values do not take`},
		"Go's own":     {"close", none, loader.ErrNoMethod, `LedgerBox.close: no such method`},
		"not offered":  {"self", none, loader.ErrNoMethod, `LedgerBox.self: no such method`},
		"capital":      {"Add", []any{1, 2}, loader.ErrNoMethod, `LedgerBox.Add: no such method (did you mean add?)`},
		"many letters": {"who", []any{1}, abi.ErrInvalidArgs, `LedgerBox.who: it takes no arguments, and got 1`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := box.Call(t.Context(), tt.method, tt.args...)
			require.ErrorIs(t, err, tt.code)
			assert.EqualError(t, err, tt.want)
		})
	}
	_, err = h.New(t.Context(), "LedgerBox", -1)
	require.ErrorIs(t, err, abi.ErrInvalidArgs)
	require.EqualError(t, err, "LedgerBox.birth: invalid arguments (-4): a ledger begins at 0 or more")
	require.NoError(t, box.Close())
	_, err = box.Call(t.Context(), "add", 1, 1)
	require.ErrorIs(t, err, loader.ErrClosed)
}

// TestWithBox_Close: an instance is closed by its fini, whoever asks for that.
func TestWithBox_Close(t *testing.T) {
	var made []*ledger
	constructor := func() ledgerBox {
		l, err := newLedger(0)
		require.NoError(t, err)
		made = append(made, l)
		return l
	}
	h := hosttest.OpenUnclosed(t, "", loader.WithBox("LedgerBox", constructor))
	box := newBox(t, h, "LedgerBox")
	newBox(t, h, "LedgerBox")
	require.NoError(t, box.Close())
	<-made[0].closed
	require.NoError(t, h.Close())
	<-made[1].closed
}

func TestWithBox_Concurrent(t *testing.T) {
	h := open(t, "", withLedger())
	box, err := h.New(t.Context(), "LedgerBox", 0)
	require.NoError(t, err)
	var wg sync.WaitGroup
	const goroutines, rounds = 8, 200
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				_, err := box.Call(t.Context(), "add", 1, 2)
				assert.NoError(t, err)
				_, err = box.Call(t.Context(), "addSmall", 1)
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 3*goroutines*rounds, callInt(t, box, "add", 0, 0))
}

func TestWithBox_Batch(t *testing.T) {
	box, err := open(t, "", withLedger()).New(t.Context(), "LedgerBox", 0)
	require.NoError(t, err)
	batch := box.Batch()
	long := make([]byte, 60000) // more than a batch has room for
	require.NoError(t, batch.Add("add", 1, 2))
	require.NoError(t, batch.Add("note", "", long))
	require.NoError(t, batch.Add("fail"))
	results, err := batch.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 3)
	assert.Equal(t, int64(2), results[0].Any())
	assert.Len(t, results[1].Any(), len(long))
	require.ErrorIs(t, results[2].Err, abi.ErrPlugin)
}

// TestWithBox_Names: a name is one box's. Those of nyash.toml and of a program take the
// place of built-in boxes, and not of each other.
func TestWithBox_Names(t *testing.T) {
	config, err := registry.Parse("nyash.toml", []byte("[plugins]\nOther = \"other\"\n[plugins.LedgerBox]\nlibrary = \"ledger\"\n"))
	require.NoError(t, err)
	_, err = loader.OpenConfig(config, withLedger())
	require.EqualError(t, err, "WithBox: nyash.toml:3:10 has a box called LedgerBox too: give one of them another name")

	config, err = registry.Parse("nyash.toml", nil)
	require.NoError(t, err)
	_, err = loader.OpenConfig(config, withLedger(), withLedger())
	require.EqualError(t, err, "WithBox: there are two boxes called LedgerBox: give one of them another name")
	_, err = loader.OpenConfig(config, loader.WithBox("Ledger Box", newLedger))
	require.ErrorContains(t, err, `WithBox: the name "Ledger Box" is not an identifier`)
	_, err = loader.OpenConfig(config, loader.WithBox("LedgerBox", newLedger))
	require.ErrorContains(t, err, "WithBox: LedgerBox: Self: its result has the type *loader_test.ledger, which is not supported. Supported are bool")

	for name, opts := range map[string][]loader.Option{
		"the default": {loader.WithBox("TimeBox", func() interface{ Half(float64) float64 } { return new(ledger) })},
		"chosen": {loader.WithBuiltins(&builtin.Box{Name: "TimeBox", New: func([]tlv.Value) (any, error) { return nil, nil }}),
			loader.WithBox("TimeBox", func() interface{ Half(float64) float64 } { return new(ledger) })},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, "", opts...)
			r, err := newBox(t, h, "TimeBox").Call(t.Context(), "half", 3)
			require.NoError(t, err)
			assert.Equal(t, 1.5, r.Any())
			assert.Equal(t, "TimeBox", h.Boxes()[0])
		})
	}
}

// TestWithBox_TwoHosts: an option may be given to several hosts, each of which has instances
// of its own.
func TestWithBox_TwoHosts(t *testing.T) {
	opt := withLedger()
	var boxes []*loader.Box
	for range 2 {
		box, err := open(t, "", opt).New(t.Context(), "LedgerBox", 0)
		require.NoError(t, err)
		boxes = append(boxes, box)
	}
	assert.Equal(t, boxes[0].ID(), boxes[1].ID())
	assert.EqualValues(t, 5, callInt(t, boxes[0], "add", 5, 1))
	assert.EqualValues(t, 1, callInt(t, boxes[1], "add", 1, 1))
}

// BenchmarkWithBox measures a call of a Go value's method from Go: as a Go function, and
// through package reflect.
func BenchmarkWithBox(b *testing.B) {
	box, err := open(b, "", withLedger()).New(b.Context(), "LedgerBox", 0)
	require.NoError(b, err)
	for _, tt := range []struct {
		method string
		args   []any
	}{{"add", []any{b.N, 1}}, {"addSmall", []any{b.N}}} {
		b.Run(tt.method, func(b *testing.B) {
			m, err := box.Method(tt.method)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Call(context.Background(), tt.args...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
