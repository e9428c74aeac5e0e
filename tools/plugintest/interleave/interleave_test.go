package interleave_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// The type and methods of tests/faulty/testdata/counter.h.
const (
	counterType = 710
	add         = 1
	get         = 2
	echo        = 3
)

func message(t *testing.T, values ...tlv.Value) []byte {
	out, err := tlv.Encode(values...)
	require.NoError(t, err)
	return out
}

// program has a plan: add(1) on one thread and add(2) on another, and get.
func program(t *testing.T) *interleave.Program {
	return &interleave.Program{
		Library: ccbuild.Library(t, "../../../tests/faulty/testdata/count_race.c", "-fvisibility=hidden"),
		Dir:     t.TempDir(), Limit: time.Second, Memory: 1 << 30,
		Calls: []interleave.Call{
			{Type: counterType, Kind: interleave.KindBirth, Args: message(t)},
			{Type: counterType, Method: add, Args: message(t, tlv.Int64(1))},
			{Type: counterType, Method: add, Args: message(t, tlv.Int64(2))},
			{Type: counterType, Method: get, Args: message(t)},
		},
		Plans: []interleave.Plan{{Slots: 1, Setup: []int{0}, Threads: [][]int{{1}, {2}}, Post: []int{3}}},
	}
}

func do(t *testing.T, p *interleave.Program) []interleave.Result {
	driver, err := interleave.Build(context.Background())
	require.NoError(t, err)
	results, err := p.Do(context.Background(), driver, nil)
	require.NoError(t, err)
	return results
}

func TestDo(t *testing.T) {
	p := program(t)
	p.Runs = []interleave.Run{
		{How: interleave.Ordered, Fresh: true, Order: []int{0, 1}},
		{How: interleave.Ordered, Order: []int{1, 0}},
		{How: interleave.Stopped, PauseAt: interleave.NoPause},
	}
	r := do(t, p)
	for i := range r {
		require.Equal(t, interleave.StatusDone, r[i].Status, i)
	}
	assert.NotEqual(t, r[0].Outcome, r[1].Outcome)
	assert.Len(t, r[0].Answers(), 3)
	require.NotEmpty(t, r[2].Trace)
	steps := len(r[2].Trace)

	begin := time.Now()
	p.Dir = t.TempDir()
	p.Runs = nil
	for i, at := range r[2].Trace {
		p.Runs = append(p.Runs, interleave.Run{How: interleave.Stopped, Fresh: i == 0, PauseAt: at.Address})
	}
	lost := 0
	for i, r := range do(t, p) {
		require.Equal(t, interleave.StatusDone, r.Status, i)
		if answers := r.Answers(); answers[2].Data[8] != 3 {
			lost++
		}
	}
	t.Log(steps, time.Since(begin), lost)
	assert.Positive(t, lost)
}

// poked is the counter of tests/faulty, which does something in get.
func poked(t *testing.T, what string) string {
	header, err := filepath.Abs("../../../tests/faulty/testdata/counter.h")
	require.NoError(t, err)
	return ccbuild.Source(t, "poked", "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n#define ON_GET "+what+"\n#include \""+header+"\"\n", "-fvisibility=hidden", "-I"+filepath.Dir(header))
}

// TestDo_Forked: processes that the plugin leaves behind, which have the driver's descriptors, are not
// waited for, and are ended, also such as are in a session of their own.
func TestDo_Forked(t *testing.T) {
	for name, leave := range map[string]string{"its group": "", "its own session": "setsid(); if (fork() != 0) _exit(0);"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "left")
			p := program(t)
			p.Library = poked(t, fmt.Sprintf(`{ if (fork() == 0) { %s FILE *f = fopen("%s", "a"); fprintf(f, "%%d\n", getpid()); fclose(f); for (;;) pause(); } }`, leave, file))
			p.Limit = 5 * time.Second
			p.Runs = []interleave.Run{{How: interleave.Ordered, Fresh: true, Order: []int{0, 1}}}
			begin := time.Now()
			assert.Equal(t, interleave.StatusDone, do(t, p)[0].Status)
			assert.Less(t, time.Since(begin), 20*time.Second)
			data, err := os.ReadFile(file)
			if err != nil {
				return // it was ended before it came to that
			}
			for _, pid := range strings.Fields(string(data)) {
				assert.NoDirExists(t, "/proc/"+pid)
			}
		})
	}
}

// TestDo_Ended: a plugin that ends the driver is told of, and its runs are lost.
func TestDo_Ended(t *testing.T) {
	p := program(t)
	p.Library = poked(t, "kill(getppid(), SIGKILL)")
	p.Runs = []interleave.Run{{How: interleave.Ordered, Fresh: true, Order: []int{0, 1}}, {How: interleave.Ordered, Fresh: true, Order: []int{0, 1}}}
	driver, err := interleave.Build(context.Background())
	require.NoError(t, err)
	results, err := p.Do(context.Background(), driver, nil)
	var ended *interleave.EndedError
	require.ErrorAs(t, err, &ended)
	assert.Equal(t, "SIGKILL", ended.Signal)
	assert.Equal(t, interleave.StatusLost, results[1].Status)
}

// TestDoParts: the runs of several drivers are those of one, in their order.
func TestDoParts(t *testing.T) {
	p := program(t)
	for i := range 40 {
		p.Runs = append(p.Runs, interleave.Run{How: interleave.Ordered, Fresh: i%3 != 1, Order: []int{i % 2, 1 - i%2}})
	}
	one := do(t, p)
	driver, err := interleave.Build(context.Background())
	require.NoError(t, err)
	p.Dir = t.TempDir()
	parts, err := p.DoParts(context.Background(), driver, 3)
	require.NoError(t, err)
	assert.Equal(t, one, parts)
}
