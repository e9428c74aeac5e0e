package faulty

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// A fault shows in a module as in a library, or there is a directive:
//
//	// wasm: CODE [PLACE]: REASON    another finding is expected
//	// wasm: nothing: REASON         none is
//	// wasm: no module: REASON       it cannot be compiled to one
var ofModule = regexp.MustCompile(`(?m)^// wasm: (.+?): .+$`)

// notModule is a directive's word.
const notModule = "no module"

// wantOfModule are the findings that are expected of the plugin as a module; none where it cannot
// be one.
func (p *plugin) wantOfModule(t *testing.T) (want []string, ok bool) {
	text, err := os.ReadFile(p.file)
	require.NoError(t, err)
	for _, m := range ofModule.FindAllStringSubmatch(string(text), -1) {
		switch m[1] {
		case notModule:
			return nil, false
		case "nothing":
			return nil, true
		}
		want = append(want, m[1])
	}
	if want == nil {
		want = p.want
	}
	slices.Sort(want)
	return want, true
}

// TestModule_FoundAlone is TestFaulty_FoundAlone for the same plugins as modules.
func TestModule_FoundAlone(t *testing.T) {
	files, err := filepath.Glob("testdata/*.c")
	require.NoError(t, err)
	tested := 0
	for i, file := range files {
		p := read(t, file)
		want, ok := p.wantOfModule(t)
		if !ok || p.explore || p.ofThreads { // which are slow there, or have no threads
			continue
		}
		tested++
		if !whole && i%sampleStep != sampleStep/2 {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".c"), func(t *testing.T) {
			t.Parallel()
			module := ccbuild.Module(t, file, append([]string{"-fvisibility=hidden", "-Wno-unknown-warning-option"}, p.flags...)...)
			if p.manifest != "" {
				require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(module), registry.ManifestName), []byte(p.manifest), 0o600))
			}
			tt, err := plugintest.New(p.config(t, module))
			require.NoError(t, err)
			report, err := tt.All(context.Background())
			require.NoError(t, err)
			if !assert.ElementsMatch(t, want, p.expected(findings(report))) {
				for _, f := range report.Findings {
					t.Logf("%+v", f)
				}
			}
		})
	}
	assert.Greater(t, tested, 90)
}

// TestModule_Good tests modules without a fault, and that each check says what it cannot tell.
func TestModule_Good(t *testing.T) {
	root := ccbuild.Root(t)
	for name, c := range map[string]plugintest.Config{
		"Counter":                 {File: ccbuild.Module(t, "testdata/good.c")},
		"Counter, self-described": {File: ccbuild.Module(t, "testdata/good.c", "-DCONFIG=BOX_TEXT METHODS_TEXT")},
		"FileBox, described":      {File: ccbuild.Module(t, filepath.Join(root, "plugins/filebox/filebox.c"), "-I"+filepath.Join(root, "abi/include"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Seed, c.For = 1, explored
			tt, err := plugintest.New(c)
			require.NoError(t, err)
			report, err := tt.All(context.Background())
			require.NoError(t, err)
			assert.Empty(t, report.Findings)
			skipped := make(map[string]string)
			for _, check := range report.Checks {
				skipped[check.Name] = strings.Join(check.Skipped, "\n")
			}
			assert.Contains(t, skipped["memcheck"], "valgrind does not see into a module")
			assert.Contains(t, skipped["stress"], "races: a module serves one call at a time")
			assert.Contains(t, skipped["protocol"], "no pages that cannot be touched")
			assert.Contains(t, skipped["lifecycle"], "signals, threads and descriptors: a module has none")
			if strings.HasPrefix(name, "FileBox") {
				assert.Empty(t, skipped["io"], "it is a box of files")
			}
		})
	}
}

// TestModule_Words: what is said of a module is of use for one.
func TestModule_Words(t *testing.T) {
	good, err := filepath.Abs("testdata/good.c")
	require.NoError(t, err)
	text := filepath.Join(t.TempDir(), "text.wasm")
	require.NoError(t, os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600))
	program := fmt.Sprintf("#include %q\nint main(void) { return 0; }\n", good)
	for name, tt := range map[string]struct{ file, code, message, fix string }{
		"a program": {
			ccbuild.ModuleSource(t, "program", program, "-mexec-model=command", "-I", filepath.Dir(good)),
			"extra-symbol", "it exports _start", "compile it with -mexec-model=reactor, and leave main out: _start is what a program exports",
		},
		"text": {
			text, "not-a-library", `it does not begin with \0asm`,
			"build it for wasm32-wasi with -mexec-model=reactor and nyash_plugin.h, as docs/wasm.md says",
		},
		"another export": {
			ccbuild.ModuleSource(t, "more", fmt.Sprintf("#include %q\n__attribute__((export_name(\"more\"))) void more(void) {}\n", good), "-I", filepath.Dir(good)),
			"extra-symbol", "it exports more", "leave out -Wl,--export-all, and export_name of what is not the plugin's",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tester, err := plugintest.New(plugintest.Config{File: tt.file, Seed: 1})
			require.NoError(t, err)
			report, err := tester.Run(context.Background(), "check")
			require.NoError(t, err)
			require.Len(t, report.Findings, 1)
			f := report.Findings[0]
			assert.Equal(t, []string{tt.code, tt.message, tt.fix}, []string{f.Code, f.Message, f.Fix})
		})
	}
}
