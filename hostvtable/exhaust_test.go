//go:build unix

package hostvtable_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// The tables of a process are permanent, so the test that uses them up runs in
// a process of its own.
const exhaustEnv = "NYASH_TEST_EXHAUST_TABLES"

func TestTablesRunOutGracefully(t *testing.T) {
	if os.Getenv(exhaustEnv) != "" {
		exhaustTables(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTablesRunOutGracefully$")
	cmd.Env = append(os.Environ(), exhaustEnv+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func exhaustTables(t *testing.T) {
	d, l := newDriver(t), newLibrary(t)
	seen := map[uintptr]bool{}
	var last *hostvtable.Table
	for i := range hostvtable.MaxTables + 1000 {
		table, err := hostvtable.For(fmt.Sprintf("file %d", i), i%2 == 0)
		require.NoError(t, err)
		last = table
		if i < hostvtable.MaxTables {
			require.False(t, seen[table.Addr()], "table %d is not its own", i)
			seen[table.Addr()] = true
		}
		var got recorder
		detach := table.Attach(&got)
		text := fmt.Sprintf("from %d", i)
		d.say(table.Addr(), 1, text)
		d.wake(table.Addr(), uint64(i))
		p := d.alloc(table.Addr(), 8)
		require.NotZero(t, p)
		d.free(table.Addr(), p)
		detach()
		if i < hostvtable.MaxTables {
			useCalls(t, l, table, int32(i))
		}
		require.Equal(t, []line{{1, text, i < hostvtable.MaxTables}}, got.lines)
		require.Equal(t, []uint64{uint64(i)}, got.wakes)
	}
	assert.Empty(t, last.File(), "a shared table names no file")
	_, err := last.CallsAddr()
	assert.ErrorContains(t, err, fmt.Sprint(hostvtable.MaxTables), "the host cannot tell who asks")
}

// useCalls asks a table's own service through each of its entry points.
func useCalls(t *testing.T, l *library, table *hostvtable.Table, i int32) {
	t.Helper()
	stop := table.Serve(service{
		resolve: func(context.Context, string, string) (uint32, uint32, abi.Code) {
			return uint32(i), uint32(i) + 1, abi.OK
		},
		invoke: func(_ context.Context, c *abi.Call, from hostvtable.Caller) {
			c.Code, c.ResultLength = abi.Code(i), 0
			if from != table {
				c.Code = abi.ErrPlugin
			}
		},
	})
	defer stop()
	host := callsOf(t, table)
	ids, length := []uint32{0, 0}, uintptr(0)
	require.Zero(t, l.resolve(host, "A", "b", &ids[0]))
	require.Equal(t, []uint32{uint32(i), uint32(i) + 1}, ids)
	require.Equal(t, i, l.invoke(host, 1, 2, 0, 0, 0, &length))
}
