package meter_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// generator writes random functions that end. Global 0 is fuel: each turn of a loop and each call uses some, and none is
// left for more when it is used up. Global 1 counts the instructions that were executed. Local 1 is a result.
type generator struct {
	*rand.Rand
	functions int
	index     int
	depth     int
	labels    []bool // whether each is a loop's
}

const fuel, work = 0, 1

// count adds instructions to the work, with those of adding.
func count(instructions int) []byte {
	return b(0x23, work, konst, s(int64(instructions+4)), add, 0x24, work)
}

func (g *generator) burn() []byte {
	return b(0x23, fuel, konst, 1, sub, 0x24, fuel, count(4))
}

func (g *generator) statements() []byte {
	out := b()
	for range 1 + g.IntN(4) {
		out = append(out, g.statement()...)
	}
	return out
}

func (g *generator) statement() []byte {
	g.depth++
	defer func() { g.depth-- }()
	inside := func(isLoop bool, code func() []byte) []byte {
		g.labels = append(g.labels, isLoop)
		defer func() { g.labels = g.labels[:len(g.labels)-1] }()
		return code()
	}
	condition := b(get, 1, konst, 1<<g.IntN(6), and)
	choice := g.IntN(12)
	if g.depth > 6 {
		choice = 9 + g.IntN(3)
	}
	switch choice {
	case 0, 1: // a loop that goes on while there is fuel, and sometimes not even then
		return inside(true, func() []byte {
			body := g.statements()
			return b(count(3), loop, void, g.burn(), body, count(7),
				0x23, fuel, konst, 0, 0x4a, condition, and, brIf, 0, end)
		})
	case 2: // a small one
		return b(count(2), loop, void, g.burn(), get, 1, konst, 3, mul, set, 1, count(8), 0x23, fuel, konst, 0, 0x4a, brIf, 0, end)
	case 3:
		return b(count(2), block, void, inside(false, g.statements), end)
	case 4:
		then, other := inside(false, g.statements), inside(false, g.statements)
		return b(count(5), condition, iff, void, then, els, other, end)
	case 5: // a branch somewhere; to a loop's head only with fuel
		target := g.IntN(len(g.labels))
		if g.labels[len(g.labels)-1-target] {
			return b(count(8), g.burn(), 0x23, fuel, konst, 0, 0x4a, condition, and, brIf, target)
		}
		return b(count(5), condition, brIf, target)
	case 6: // a table of the blocks around
		targets := [][]byte{}
		for i, isLoop := range g.labels {
			if !isLoop {
				targets = append(targets, u(uint32(len(g.labels)-i)))
			}
		}
		return b(count(6), block, void, get, 1, konst, 7, and, brTable, vec(targets...), 0, end)
	case 7: // a call of any function
		return b(count(7), 0x23, fuel, konst, 0, 0x4a, iff, void, g.burn(), get, 1, call, g.IntN(g.functions), set, 1, end)
	case 8: // a call of a later one, which needs no fuel
		if g.index+1 < g.functions {
			return b(count(3), get, 1, call, g.index+1+g.IntN(g.functions-g.index-1), set, 1)
		}
		fallthrough
	case 9: // much straight code
		out := b(count(4 * 100))
		for range 100 {
			out = append(out, b(get, 1, konst, 5, mul, set, 1)...)
		}
		return out
	default:
		return b(count(6), get, 1, konst, g.IntN(64), add, get, 0, 0x73, set, 1)
	}
}

func (g *generator) module() []byte {
	g.functions = 1 + g.IntN(6)
	var types, bodies [][]byte
	for g.index = range g.functions {
		g.labels = []bool{false}
		code := b(block, void, g.statements(), end)
		types = append(types, b(0))
		bodies = append(bodies, body(1, get, 0, set, 1, code, get, 1))
	}
	global := func(v int64) []byte { return b(i32, 1, konst, s(v), end) }
	return mod(sec(1, typ("i", "i")), sec(3, types...), sec(6, global(0), global(0)),
		sec(7, export("f", 0, 0), export("fuel", 3, fuel), export("work", 3, work)), sec(10, bodies...))
}

// TestRandom runs random programs with and without charges: they must give the same result, use the same fuel and do
// the same work, and never more than meter.Interval of it between two ticks.
func TestRandom(t *testing.T) {
	const seeds, supply = 400, 50_000
	ticks, longest := 0, uint32(0)
	for seed := range uint64(seeds) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
		module := g.module()
		var m api.Module
		last := uint32(0)
		look := func() {
			done := uint32(m.ExportedGlobal("work").Get())
			longest = max(longest, done-last)
			last = done
		}
		plain := start(t, module, nil)
		m = start(t, module, func() { ticks++; look() })
		results := [2][]uint64{}
		for i, m := range []api.Module{plain, m} {
			m.ExportedGlobal("fuel").(api.MutableGlobal).Set(supply)
			out, err := m.ExportedFunction("f").Call(context.Background(), seed)
			if err != nil { // deep recursion
				require.ErrorContains(t, err, "stack overflow")
				continue
			}
			results[i] = append(out, m.ExportedGlobal("fuel").Get(), m.ExportedGlobal("work").Get())
		}
		look()
		if results[0] != nil && results[1] != nil {
			require.Equal(t, results[0], results[1], "seed %d", seed)
		}
		require.Less(t, longest, uint32(meter.Interval+8*supply), "seed %d", seed) // a frame takes fuel
	}
	require.Greater(t, ticks, seeds)
	t.Logf("%d ticks, at most %d units between two", ticks, longest)
}

// TestDeepRecursion: what frames on the stack have paid for is done when they return, where no function is entered.
// The work of all of them together must not go by without a tick.
func TestDeepRecursion(t *testing.T) {
	const frames = 50_000
	straight := b(count(200))
	for range 50 {
		straight = append(straight, b(get, 0, konst, 3, add, 0x1a)...)
	}
	again := b(get, 0, iff, void, get, 0, konst, 1, sub, call, 0, end)
	loops := b(konst, 20, set, 1, loop, void, count(8), get, 1, konst, 1, sub, tee, 1, brIf, 0, end)
	global := b(i32, 1, konst, 0, end)
	recursive := func(code ...any) []byte {
		return mod(sec(1, typ("i", "")), sec(3, b(0), b(0)), sec(4, b(0x70, 0, 1)), sec(6, global, global),
			sec(7, export("f", 0, 0), export("work", 3, work)), sec(9, b(0, konst, 0, end, vec(b(0)))),
			sec(10, body(1, code...), body(0, get, 0, call, 0)))
	}
	for name, module := range map[string][]byte{
		"code":                recursive(again, straight),
		"loop before, around": recursive(loops, again, loops),
		"in a loop": recursive(konst, 2, set, 1, loop, void, count(20), get, 1, konst, 2, 0x46, iff, void, again, end,
			count(4), get, 1, konst, 1, sub, tee, 1, brIf, 0, end),
		"by way of another": recursive(get, 0, iff, void, get, 0, konst, 1, sub, call, 1, end, straight),
		"through the table": recursive(get, 0, iff, void, get, 0, konst, 1, sub, konst, 0, indirect, 0, 0, end, straight),
	} {
		t.Run(name, func(t *testing.T) {
			var m api.Module
			last, longest, ticks := uint32(0), uint32(0), 0
			look := func() {
				ticks++
				done := uint32(m.ExportedGlobal("work").Get())
				longest = max(longest, done-last)
				last = done
			}
			m = start(t, module, look)
			_, err := m.ExportedFunction("f").Call(context.Background(), frames)
			require.NoError(t, err)
			look()
			t.Logf("%d units, %d ticks, at most %d units between two", last, ticks, longest)
			require.Less(t, longest, uint32(meter.Interval+8*frames))
		})
	}
}
