package generate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tools/generate"
)

func TestPackage(t *testing.T) {
	for name, tt := range map[string]struct {
		folder string
		files  map[string]string
		want   string
	}{
		"the file's own":             {"boxes", map[string]string{"x.go": oldText, "doc.go": "package doc\n"}, "old"},
		"that of another file":       {"boxes", map[string]string{"doc.go": "// Package typed is here.\npackage typed\n"}, "typed"},
		"of a test":                  {"boxes", map[string]string{"a_test.go": "package typed_test\n"}, "typed"},
		"not of what is left out":    {"boxes", map[string]string{"a.go": "//go:build ignore\n\npackage main\n", "b.go": "package typed\n"}, "typed"},
		"a file without a package":   {"boxes", map[string]string{"x.go": "// Code generated\n", "doc.go": "package typed\n"}, "typed"},
		"an empty folder":            {"boxes", nil, "boxes"},
		"one that is not there":      {"none", nil, "none"},
		"one whose name cannot be":   {"my-boxes", nil, ""},
		"one that is called a word":  {"func", nil, ""},
		"other files than those":     {"boxes", map[string]string{"x.c": "int x;\n"}, "boxes"},
		"files that do not agree":    {"boxes", map[string]string{"a.go": "package a\n", "b.go": "package b\n"}, "a"},
		"a folder in the file's way": {"boxes", map[string]string{"x.go/y": "", "doc.go": "package typed\n"}, "typed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), tt.folder)
			for file, text := range tt.files {
				path := filepath.Join(dir, filepath.FromSlash(file))
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			}
			assert.Equal(t, tt.want, generate.Package(filepath.Join(dir, "x.go")))
		})
	}
}
