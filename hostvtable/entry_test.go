//go:build unix && !nyash_portable && (amd64 || arm64)

package hostvtable_test

import (
	"testing"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/hostvtable"
)

func TestHostCalls_DoNotAllocate(t *testing.T) {
	l := newLibrary(t)
	table, host := serve(t, service{})
	var silent quiet
	defer table.Attach(&silent)()
	ctx := t.Context()
	const calls = 10_000
	for name, run := range map[string]func(){
		"invoke": func() {
			defer hostvtable.Enter(ctx).Leave()
			purego.SyscallN(l.loop, host, calls)
		},
		"wake":  func() { purego.SyscallN(l.loopWake, table.Addr(), calls) },
		"Enter": func() { hostvtable.Enter(ctx).Leave() },
	} {
		t.Run(name, func(t *testing.T) {
			assert.Less(t, testing.AllocsPerRun(3, run), 10.0, "of %d calls", calls)
		})
	}
}
