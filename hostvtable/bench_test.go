//go:build unix

package hostvtable_test

import (
	"context"
	"testing"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// quiet is a sink that keeps nothing.
type quiet struct{}

func (*quiet) PluginLog(abi.LogLevel, string, bool) {}
func (*quiet) PluginWake(uint64, bool)              {}

// BenchmarkInvoke is a call from C to a host that does nothing: the way there and back.
func BenchmarkInvoke(b *testing.B) {
	l := newLibrary(b)
	_, host := serve(b, service{})
	defer hostvtable.Enter(b.Context()).Leave()
	b.ReportAllocs()
	b.ResetTimer()
	purego.SyscallN(l.loop, host, uintptr(b.N))
}

func BenchmarkWake(b *testing.B) {
	l := newLibrary(b)
	table, _ := serve(b, service{})
	defer table.Attach(&quiet{})()
	b.ReportAllocs()
	b.ResetTimer()
	purego.SyscallN(l.loopWake, table.Addr(), uintptr(b.N))
}

func BenchmarkEnter(b *testing.B) {
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		hostvtable.Enter(ctx).Leave()
	}
}

func BenchmarkCurrent(b *testing.B) {
	defer hostvtable.Enter(b.Context()).Leave()
	b.ReportAllocs()
	var ctx context.Context
	for b.Loop() {
		ctx = hostvtable.Current()
	}
	if ctx == nil {
		b.Fatal("there is none")
	}
}
