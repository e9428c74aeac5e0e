package sdk

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

var ctx = context.Background()

// whole is whether everything is tested, as `make sdk` does.
var whole = os.Getenv("NYASH_TEST_SDK") == "all"

// builds is a folder for what several tests use.
var builds string

func TestMain(m *testing.M) {
	probe.Main()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	builds, err = os.MkdirTemp("", "nyash-sdk")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(builds)
	return m.Run()
}

var (
	making sync.Mutex
	made   = make(map[string]string)
)

// once makes something the first time that a test wants it.
func once(what string, build func() string) string {
	making.Lock()
	defer making.Unlock()
	if made[what] == "" {
		made[what] = build()
	}
	return made[what]
}

// pedantic are the warnings that the headers promise not to cause, beside those that
// ccbuild asks for.
const pedantic = "-Wpedantic"

// library compiles a plugin of testdata, as C99 or C++17.
func library(t testing.TB, source string) string {
	t.Helper()
	return once(source, func() string {
		flags := []string{pedantic, "-fvisibility=hidden"}
		if runtime.GOOS != "darwin" { // whose linker takes no such script
			flags = append(flags, "-Wl,--version-script="+filepath.Join(ccbuild.Root(t), "plugins/sdk/nyash.map"))
		}
		if filepath.Ext(source) == ".c" {
			flags = append(flags, "-std=c99")
		}
		return ccbuild.LibraryAt(t, filepath.Join(builds, source+".so"), filepath.Join("testdata", source), flags...)
	})
}

// crate is a package of Rust, by its folder in the repository.
const (
	sdkCrate         = "plugins/sdk/rust"
	counterCrate     = "plugins/counter"
	logAnalyzerCrate = "plugins/loganalyzer"
	samplesCrate     = "tests/sdk/testdata/samples"
)

// cargo runs cargo in a crate and returns the folder that it builds into, which is the
// same for all of them: so the SDK is compiled once.
func cargo(t testing.TB, crate string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("cargo")
	require.NoError(t, err, "the tests need cargo (see README.md); `make test` installs it")
	root := ccbuild.Root(t)
	target := filepath.Join(root, sdkCrate, "target")
	cmd := exec.Command(path, append(args, "--offline", "--quiet", "--locked")...)
	cmd.Dir = filepath.Join(root, crate)
	cmd.Env = append(os.Environ(), "CARGO_TARGET_DIR="+target, "CARGO_TERM_COLOR=never")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: cargo %s\n%s", crate, strings.Join(args, " "), out)
	return target
}

func fileName(crate string) string {
	if runtime.GOOS == "darwin" {
		return "lib" + crate + ".dylib"
	}
	return "lib" + crate + ".so"
}

// rustExample is the counter of the Rust SDK's examples.
func rustExample(t testing.TB) string {
	t.Helper()
	return once("example", func() string {
		return filepath.Join(cargo(t, sdkCrate, "build", "--example", "counter"), "debug", "examples", fileName("counter"))
	})
}

// samples are boxes in Rust with every type, and one that misbehaves.
func samples(t testing.TB) string {
	t.Helper()
	return once("samples", func() string {
		return filepath.Join(cargo(t, samplesCrate, "build"), "debug", fileName("samples"))
	})
}

// ofMake is a plugin of this repository in Rust as its Makefile builds it.
func ofMake(t testing.TB, crate string) string {
	t.Helper()
	return once(crate, func() string {
		folder := filepath.Join(ccbuild.Root(t), crate)
		ccbuild.Run(t, "make", "--no-print-directory", "-s", "-C", folder)
		return filepath.Join(folder, "build", fileName("nyash_"+filepath.Base(crate)+"_plugin"))
	})
}

func counterBox(t testing.TB) string { return ofMake(t, counterCrate) }

func logAnalyzer(t testing.TB) string { return ofMake(t, logAnalyzerCrate) }

func fileBox(t testing.TB) string { return ofC(t, "filebox") }

func mathBox(t testing.TB) string { return ofC(t, "mathbox") }

// ofC is a plugin of this repository in C.
func ofC(t testing.TB, name string) string {
	t.Helper()
	return once(name, func() string { return ccbuild.PluginAt(t, filepath.Join(builds, "lib"+name+".so"), name) })
}

// describe returns a library's self-description.
func describe(t testing.TB, library string) string {
	t.Helper()
	return once("description of "+library, func() string {
		return ccbuild.Run(t, ccbuild.Program(t, "testdata/config.c", "-std=gnu11", "-ldl"), library)
	})
}

// declare makes a nyash.toml for the boxes that a library describes, which says nothing
// of their methods. keys are lines for each box.
func declare(t testing.TB, library string, keys ...string) string {
	t.Helper()
	description, err := registry.ParseDescription(library, describe(t, library))
	require.NoError(t, err)
	var text strings.Builder
	for _, box := range description.Boxes {
		// With strict, signatures are those of the self-description.
		fmt.Fprintf(&text, "[plugins.%q]\nlibrary = %q\nstrict = true\n%s\n", box.Name, library, strings.Join(keys, "\n"))
	}
	return text.String()
}

var boxTable = regexp.MustCompile(`(?m)^\[plugins\.[^.\]]+\]$`)

// repeat makes a nyash.toml that says all that a library says of itself: plugin-tester
// has the types of methods from there.
func repeat(t testing.TB, library string) string {
	t.Helper()
	return boxTable.ReplaceAllString(describe(t, library), fmt.Sprintf("$0\nlibrary = %q", library))
}

// everywhere runs a test in this process and with the library in one of its own.
func everywhere(t *testing.T, library string, test func(t *testing.T, toml string)) {
	for _, isolation := range []string{"none", "process"} {
		t.Run(isolation, func(t *testing.T) {
			test(t, declare(t, library, fmt.Sprintf("isolation = %q", isolation)))
		})
	}
}

// value calls a method and returns its result as Go has it.
func value(t testing.TB, box *loader.Box, method string, args ...any) any {
	t.Helper()
	return hosttest.Call(t, box, method, args...).Any()
}

// boxOf and blobOf call a method that returns one.
func boxOf(t testing.TB, box *loader.Box, method string, args ...any) *loader.Box {
	t.Helper()
	made, err := hosttest.Call(t, box, method, args...).Box()
	require.NoError(t, err)
	return made
}

func blobOf(t testing.TB, box *loader.Box, method string, args ...any) *loader.Blob {
	t.Helper()
	blob, err := hosttest.Call(t, box, method, args...).Blob()
	require.NoError(t, err)
	t.Cleanup(blob.Release)
	return blob
}

// fails is the message of a call that fails with a code.
func fails(t testing.TB, code abi.Code, box *loader.Box, method string, args ...any) string {
	t.Helper()
	_, err := box.Call(ctx, method, args...)
	var failed *loader.CallError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, code, failed.Code, "%v", err)
	return failed.Message
}

// How much plugin-tester looks at a plugin in the sample.
const (
	left    = iota // not at all
	checked        // without an instance: its birth calls boxes that plugin-tester does not have
	quick          // each method is called in every way, once
	all            // as in `make sdk`
)

// TestTester_NoFindings has plugin-tester look at what is written with the SDKs.
func TestTester_NoFindings(t *testing.T) {
	repeated, _, _ := strings.Cut(repeat(t, samples(t)), "[plugins.FaultBox]") // which is faulty on purpose
	for _, c := range []struct {
		name     string
		library  string
		declared string // nyash.toml's text
		sample   int
	}{
		{"counter.c", library(t, "counter.c"), repeat(t, library(t, "counter.c")), left},
		{"counter.c, described", library(t, "counter.c"), "", left},
		{"counter.cpp", library(t, "counter.cpp"), repeat(t, library(t, "counter.cpp")), quick},
		{"counter.cpp, described", library(t, "counter.cpp"), "", left},
		{"counter.rs", rustExample(t), repeat(t, rustExample(t)), quick},
		{"counter.rs, described", rustExample(t), "", left},
		{"MathBox", mathBox(t), repeat(t, mathBox(t)), left},
		{"MathBox, described", mathBox(t), "", left},
		{"CounterBox", counterBox(t), repeat(t, counterBox(t)), quick},
		{"CounterBox, described", counterBox(t), "", left},
		{"LogAnalyzerBox", logAnalyzer(t), logsTOML(t, "", "", ""), checked},
		{"LogAnalyzerBox, described", logAnalyzer(t), "", checked},
		{"samples", samples(t), repeated, left},
	} {
		if whole && c.sample != checked {
			c.sample = all
		}
		if c.sample == left {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := plugintest.Config{File: c.library, Seed: 1, For: 500 * time.Millisecond, NoMemcheck: !whole, Worker: ccbuild.TestersWorker(t)}
			if c.declared != "" {
				declared, err := registry.Parse("nyash.toml", []byte(c.declared))
				require.NoError(t, err)
				config.Library, config.TOML = declared.Libraries[0], "nyash.toml"
			}
			tester, err := plugintest.New(config)
			require.NoError(t, err)
			if c.sample == all {
				report, err := tester.All(ctx)
				require.NoError(t, err)
				assert.Empty(t, report.Findings)
				return
			}
			checks := []string{"check", "typecheck", "protocol"}
			if c.sample == checked {
				checks = checks[:1]
			}
			for _, check := range checks {
				report, err := tester.Run(ctx, check)
				require.NoError(t, err)
				assert.Empty(t, report.Findings)
			}
		})
	}
}
