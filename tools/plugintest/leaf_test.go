package plugintest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/registry"
)

// TestLeaf_Waits is what is made of what a worker has seen, also where its kernel does not tell
// system calls.
func TestLeaf_Waits(t *testing.T) {
	times := make([]time.Duration, 64)
	tests := map[string]struct {
		watch probe.Watch
		want  string
	}{
		"nothing":                {probe.Watch{Times: times, Traced: 32}, ""},
		"in each call":           {probe.Watch{Times: times, Traced: 32, Waits: []probe.Wait{{Name: "read", Calls: 32}}}, "it makes the system call read, which can wait, in 32 of 32 calls"},
		"once":                   {probe.Watch{Times: times, Traced: 32, Waits: []probe.Wait{{Name: "read", Calls: 1}}}, ""},
		"the second":             {probe.Watch{Times: times, Traced: 32, Waits: []probe.Wait{{Name: "openat", Calls: 1}, {Name: "read", Calls: 2}}}, "it makes the system call read, which can wait, in 2 of 32 calls"},
		"in the only call":       {probe.Watch{Times: times[:1], Traced: 1, Waits: []probe.Wait{{Name: "read", Calls: 1}}}, "in 1 of 1 calls"},
		"sleeps that are traced": {probe.Watch{Times: times, Sleeps: 64, Traced: 32}, ""},
		"untraced, sleeps":       {probe.Watch{Times: times, Sleeps: 33}, "it gives up the processor and waits, in 33 of 64 calls"},
		"untraced, seldom":       {probe.Watch{Times: times, Sleeps: 32}, ""},
		"untraced, one call":     {probe.Watch{Times: times[:1], Sleeps: 1}, "it gives up the processor and waits, in 1 of 1 calls"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			report := &Report{}
			e := &env{config: &Config{TOML: "nyash.toml"}, recorder: &recorder{config: &Config{}, report: report, check: &CheckReport{}, seen: newSeen(), silent: true}}
			m := &method{box: &box{name: "A"}, name: "m", conf: &registry.Method{Leaf: true, Pos: registry.Position{Line: 7}}}
			assert.Equal(t, tt.want != "", e.checkWaits(&watch{Watch: tt.watch, step: step{m: m}}))
			if tt.want == "" {
				assert.Empty(t, report.Findings)
				return
			}
			f := report.Findings[0]
			assert.Equal(t, codeLeafBlocks, f.Code)
			assert.Equal(t, "A.m", f.Place())
			assert.Contains(t, f.Message, tt.want)
			assert.Contains(t, f.Message, "; leaf = true is in nyash.toml (line 7)")
			assert.Equal(t, 7, f.Line)
		})
	}
}
