// Command bench measures this loader beside the other ways for a Go program to
// call code that it was not built with, all in one run, and prints one table:
//
//	make bench
//
// It is a module of its own, so that the peers' dependencies stay out of the
// loader's go.mod. Unlike the loader it needs cgo, which is one of the peers.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func main() {
	testing.Init()
	rounds := flag.Int("rounds", 6, "how often each row is measured; the table has the medians")
	each := flag.Duration("time", 150*time.Millisecond, "how long each measurement runs")
	footprint := flag.Int("footprint", 0, "load that many libraries and print their resident memory (used by the program itself)")
	modules := flag.Bool("modules", false, "measure only what WebAssembly modules are compared with")
	calls := flag.Bool("calls", false, "measure only calls in this process, beside cgo and wazero")
	flag.Parse()
	if servePeer() {
		return
	}
	if *footprint > 0 {
		exitOn(printFootprint(*footprint, flag.Args()))
		return
	}
	exitOn(flag.Set("test.benchtime", each.String()))
	exitOn(run(*rounds, *modules, *calls))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, modules, calls bool) error {
	dir, err := os.MkdirTemp("", "nyash-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	library := filepath.Join(dir, "libbench.so")
	if err := build(dir, library); err != nil {
		return err
	}
	// What modules are compiled to is kept there, and not where the user's is.
	if err := os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")); err != nil {
		return err
	}
	t := &table{callers: make(map[string]func() (caller, error))}
	cleanup, err := addRows(t, dir, library, modules, calls)
	defer cleanup()
	if err != nil {
		return err
	}
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "\rround %d of %d", round+1, rounds)
		t.measure()
	}
	fmt.Fprint(os.Stderr, "\r                 \r")
	title := fmt.Sprintf("%s, %d × %s, %s; medians of %d rounds", runtime.Version(), runtime.NumCPU(), processor(), runtime.GOOS+"/"+runtime.GOARCH, rounds)
	if modules {
		fmt.Println(title + "\n")
		t.print()
		printBars(moduleBars(t))
		return nil
	}
	if calls {
		fmt.Println(title + "\n")
		t.print()
		printBars(callBars(t))
		return nil
	}
	slow, err := measureLatencies(dir, library, t.callers)
	if err != nil {
		return err
	}
	loads, err := measureLoads(dir, library, rounds)
	if err != nil {
		return err
	}
	fmt.Println(title + "\n")
	t.print()
	slow.print()
	loads.print()
	printBars(append(bars(t, loads, slow), moduleBars(t)...))
	return nil
}

// build compiles the C plugin and the plugin of Go's plugin package.
func build(dir, library string) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	for _, command := range [][]string{
		{"cc", "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I", filepath.Join(root, "abi", "include"), "-o", library, "plugin/bench.c"},
		{"go", "build", "-o", filepath.Join(dir, "nyash-worker"), "github.com/nyash-plugins/nyash-go/cmd/nyash-worker"},
		{"go", "build", "-buildmode=plugin", "-o", filepath.Join(dir, "std.so"), "./stdplugin"},
		wasmCompiler(moduleFile(dir), "plugin/bench.c"),
		wasmCompiler(bulkFile(dir), "plugin/bench.c", "-mbulk-memory"),
		wasmCompiler(filepath.Join(dir, "extism.wasm"), "plugin/extism.c", "-nostdlib", "-Wl,--no-entry"),
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // Go's plugin package needs it
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", command, err, out)
		}
	}
	return nil
}

// addRows adds everything that is measured by calls.
func addRows(t *table, dir, library string, modules, calls bool) (cleanup func(), err error) {
	var ends []func()
	cleanup = func() {
		for _, end := range ends {
			end()
		}
	}
	type source = func(t *table, dir, library string) (end func(), err error)
	peers := []source{
		addLoader, addLeaf, addIsolated, addPiped, addCgo, addPurego, addGoPlugin, addStdPlugin, addCallbacks, addNested,
	}
	ofModules := []source{addModules, addWazero, addUnchecked, addExtism, addModuleLoads}
	switch {
	case modules:
		peers = []source{addCgo}
	case calls:
		peers, ofModules = []source{addLoader, addLeaf, addCgo}, []source{addWazero}
	}
	for _, peer := range append(peers, ofModules...) {
		end, err := peer(t, dir, library)
		if end != nil {
			ends = append(ends, end)
		}
		if err != nil {
			return cleanup, err
		}
	}
	return cleanup, nil
}
