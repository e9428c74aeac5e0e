package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNew(t *testing.T) {
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(append([]string{"new"}, args...))
		err := root.Execute()
		return out.String(), err
	}
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("full", 0o755))
	require.NoError(t, os.WriteFile("full/mine", nil, 0o644))
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no name", []string{"--lang", "c"}, "a name for the box is missing; for example: nyash new MyBox --lang c"},
		{"too much", []string{"My", "Box", "here", "--lang", "c"}, "3 arguments, not NAME and DIR; a folder whose name has spaces needs quotes"},
		{"no language", []string{"MyBox"}, "a language is missing: add --lang with c, cpp, rust, go or zig"},
		{"no such language", []string{"MyBox", "--lang", "perl"}, "--lang perl: there is no template for it; write c, cpp, rust, go or zig"},
		{"a bad name", []string{"my-box", "--lang", "c"}, `"my-box" cannot be the name of a box: a box's name has only the letters A to Z and a to z and digits, not '-'; for example: MyBox`},
		{"a folder that is not empty", []string{"MyBox", "full", "--lang", "c"}, "full: the folder is not empty; name another one, or a new one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run(c.args...)
			assert.EqualError(t, err, c.want)
		})
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is written")

	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "nyash"), []byte("#!/bin/sh\n"), 0o755))
	t.Setenv("PATH", bin)
	t.Setenv("CARGO", filepath.Join(bin, "nyash"))
	const steps = `
  make        # builds the plugin
  make run    # runs a script with it
  make test   # looks for faults in it

README.md says how to go on.
`
	out, err := run("MyBox", "--lang", "rust")
	require.NoError(t, err)
	assert.Equal(t, "my-box: a plugin in Rust, with the box MyBox. Next:\n\n  cd my-box"+steps, out)
	out, err = run("MyBox", "inwasm", "--lang", "rust", "--wasm")
	require.NoError(t, err)
	assert.Contains(t, out, "  make test   # looks for faults in it\n  make wasm        # builds it as a WebAssembly module\n  make wasm-test   # looks for faults in that\n\n")
	out, err = run("MyBox", "--lang", "rust", "-it's mine")
	require.Error(t, err, "a folder that looks like a flag")
	assert.Empty(t, out)
	out, err = run("MyBox", "--lang", "rust", "--", "-it's mine")
	require.NoError(t, err)
	assert.Contains(t, out, "  cd './-it'\\''s mine'"+steps)
}
