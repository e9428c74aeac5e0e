package explain_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/explain"
)

// TestTexts: each code has a text with all of its parts, and no text is of another code.
func TestTexts(t *testing.T) {
	var codes []string
	for _, rule := range plugintest.Rules() {
		codes = append(codes, rule.Code)
		text, ok := explain.Of(rule.Code)
		if !assert.True(t, ok, "codes/%s.md is missing", rule.Code) {
			continue
		}
		assert.Equal(t, rule.Code, text.Code)
		assert.Greater(t, len(text.Meaning), 80, rule.Code)
		assert.Greater(t, len(text.Mend), 40, rule.Code)
		for _, e := range []explain.Example{text.Wrong, text.Right} {
			assert.Contains(t, []string{"c", "sdk-c", "toml", "sh"}, e.Language, rule.Code)
			assert.NotEmpty(t, e.Source, rule.Code)
		}
	}
	slices.Sort(codes)
	assert.Equal(t, codes, explain.Codes())
	_, ok := explain.Of("../codes/crash")
	assert.False(t, ok)
}

// TestExamples_Compile: the examples in C compile, the right ones without a warning; those in TOML
// can be read.
func TestExamples_Compile(t *testing.T) {
	root := ccbuild.Root(t)
	dir := t.TempDir()
	headers := map[string]string{"c": "testdata/plugin.h", "sdk-c": filepath.Join(root, "plugins/sdk/c/nyash.h")}
	warnings := map[string][]string{"wrong": {"-w"}, "right": {"-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-variable"}}
	flags := []string{"-std=gnu11", "-pthread", "-I", filepath.Join(root, "abi/include")}
	for language, header := range headers {
		// The header is the most of each file: it is compiled once, where the compiler can.
		text, err := os.ReadFile(header)
		require.NoError(t, err)
		header = filepath.Join(dir, language+".h")
		require.NoError(t, os.WriteFile(header, text, 0o644))
		ccbuild.Run(t, "cc", slices.Concat(flags, []string{"-x", "c-header", header, "-o", header + ".gch"})...)
		for kind, warn := range warnings {
			args := slices.Concat(flags, warn, []string{"-fsyntax-only", "-include", header})
			before := len(args)
			for _, code := range explain.Codes() {
				text, _ := explain.Of(code)
				e := map[string]explain.Example{"wrong": text.Wrong, "right": text.Right}[kind]
				if e.Language != language {
					continue
				}
				file := filepath.Join(dir, kind+"-"+code+".c")
				require.NoError(t, os.WriteFile(file, []byte(e.Source), 0o644))
				args = append(args, file)
			}
			assert.Greater(t, len(args), before)
			ccbuild.Run(t, "cc", args...)
		}
	}
}

func TestExamples_TOML(t *testing.T) {
	for _, code := range explain.Codes() {
		text, _ := explain.Of(code)
		for _, e := range []explain.Example{text.Wrong, text.Right} {
			if e.Language == "toml" {
				assert.NoError(t, toml.Unmarshal([]byte(e.Source), new(map[string]any)), "%s: %s", code, e.Source)
			}
		}
	}
}
