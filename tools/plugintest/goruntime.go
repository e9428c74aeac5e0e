package plugintest

import (
	"debug/buildinfo"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/valgrind"
)

// goRuntime is what a library brings that Go has built: a runtime, which its author cannot mend.
// It is nil for other libraries.
type goRuntime struct {
	version string          // of Go
	left    map[string]bool // codes of the findings that were left out
	told    map[string]bool // of them, those that a note has
}

// goRuntimeOf reads the build information of a library.
func goRuntimeOf(file string) *goRuntime {
	info, err := buildinfo.ReadFile(file)
	if err != nil || info.GoVersion == "" {
		return nil
	}
	return &goRuntime{version: contract.Printable(info.GoVersion), left: make(map[string]bool), told: make(map[string]bool)}
}

// goSignals are those that the runtime of a library handles from the start.
var goSignals = []string{"SIGBUS", "SIGFPE", "SIGSEGV", "SIGPIPE", "SIGURG"}

// symbols are those of the exported that are not of cgo and its runtime.
func (g *goRuntime) symbols(exported []string) []string {
	if g == nil {
		return exported
	}
	own := slices.DeleteFunc(slices.Clone(exported), func(name string) bool {
		return hasAnyPrefix(name, "_cgo_", "_cgoexp_", "x_cgo_", "crosscall", "x_crosscall", "runtime.") || name == "fatalf"
	})
	if len(own) < len(exported) {
		g.left[codeExtraSymbol] = true
	}
	return own
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// handled are those of the signals that are not the runtime's own.
func (g *goRuntime) handled(signals []string) []string {
	if g == nil {
		return signals
	}
	g.left[codeSignalHandler] = true
	return slices.DeleteFunc(slices.Clone(signals), func(s string) bool { return slices.Contains(goSignals, s) })
}

// brings tells whether a finding is the runtime's, and is to be left out.
func (g *goRuntime) brings(f *Finding) bool {
	if g == nil {
		return false
	}
	ofRuntime := func(frame string) bool {
		return hasAnyPrefix(frame, "runtime.", "runtime/", "internal/runtime", "x_cgo_", "_cgo_") || frame == valgrind.Freed || frame == valgrind.Allocated
	}
	is := false
	switch f.Code {
	case codeThread:
		is = true // a goroutine cannot be told from others
	case codeUninitialised: // valgrind does not follow how Go moves its stacks
		is = ofRuntime(f.Function)
	case codeLeak, codeInvalidRead, codeInvalidWrite, codeAfterFree, codeDoubleFree:
		is = len(f.Backtrace) > 0 && !slices.ContainsFunc(f.Backtrace, func(frame string) bool { return !ofRuntime(frame) })
	}
	if is {
		g.left[f.Code] = true
	}
	return is
}

// goHeap is what a runtime's heap grows to before it collects for the first time, twice, in bytes.
const goHeap = 8 << 20

// mayGrow tells whether so much memory is what the runtime takes of itself.
func (g *goRuntime) mayGrow(size int) bool {
	if g == nil || size > goHeap {
		return false
	}
	g.left[codeGrowth] = true
	return true
}

// note says what was left out and not told before; empty for nothing.
func (g *goRuntime) note() string {
	if g == nil {
		return ""
	}
	var codes []string
	for _, r := range rules {
		if g.left[r.Code] && !g.told[r.Code] {
			g.told[r.Code] = true
			codes = append(codes, r.Code)
		}
	}
	if len(codes) == 0 {
		return ""
	}
	return fmt.Sprintf("%s of the Go runtime (%s) that the library brings: its author cannot mend that; docs/plugin-languages.md says what it means for a host", strings.Join(codes, ", "), g.version)
}
