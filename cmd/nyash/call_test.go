package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestCall: one call from the command line, with arguments of the declared types.
func TestCall(t *testing.T) {
	c := newCommand(t)
	c.write(t, "math.toml", hosttest.PluginTOML(t, "mathbox", ccbuild.Plugin(t, "mathbox"))+
		"\n"+hosttest.PluginTOML(t, "filebox", filepath.Join(c.dir, "plugins/filebox/build/libnyash_filebox_plugin.so"))+
		"\n[plugins.Named]\nlibrary = \""+ccbuild.Source(t, "named", named)+"\"\n")
	c.write(t, "data.txt", "some\x1btext")
	for _, tt := range []struct {
		args, out, err string
		status         int
	}{
		{"call MathBox.add 2 3", "5\n", "", 0},
		{"call MathBox.add 0x10 -3", "13\n", "", 0},
		{"call MathBox.add -- -5 3", "-2\n", "", 0},
		{"call -- MathBox.add -5 3", "-2\n", "", 0},
		{"call -- MathBox.add -- 3", "", `argument a: "--" is no integer`, 2},
		{"call MathBox.add -- -- 3", "", `argument a: "--" is no integer`, 2},
		{"call MathBox.add -5 -- 3", "", `argument b: "--" is no integer`, 2},
		{"call --json MathBox.add 2 3", `{"version":1,"type":"integer","value":5}` + "\n", "", 0},
		{"call MathBox.add 2 x", "", `nyash: MathBox.add: argument b: "x" is no integer of 64 bits`, 2},
		{"call MathBox.add 2", "", "nyash: MathBox.add: it takes 2 (a, b), and got 1", 2},
		{"call MathBox.add 2 3 --json", "", "it takes 2 (a, b), and got 3 (flags stand before MathBox.add)", 2},
		{"call Named.name", "", "Named.birth: it takes 1 (name), and got 0: what birth takes is given with --birth ARG, once for each, before Named.name", 2},
		{"call --birth n Named.name", "named\n", "", 0},
		{"call MathBox.ad 2 3", "", "nyash: MathBox has no method ad (did you mean add?)", 2},
		{"call MthBox.add 2 3", "", "no such box: MthBox", 2},
		{"call MathBox", "", "nyash: name a method as BOX.METHOD: nyash call [flags] BOX.METHOD [ARG…]", 2},
		{"call FileBox.open none.txt r", "", "plugin error (-5): no such file or directory: none.txt", 1},
		{"call FileBox.write text", "", "FileBox.write: plugin error (-5)", 1},
		{"call --birth data.txt FileBox.size", "", "FileBox.birth: invalid arguments (-4)", 1},
	} {
		t.Run(tt.args, func(t *testing.T) {
			stdout, stderr, status := c.run(t, append([]string{"--config", "math.toml"}, strings.Fields(tt.args)...)...)
			assert.Equal(t, tt.status, status, stderr)
			assert.Equal(t, tt.out, stdout)
			assert.Contains(t, stderr, tt.err)
		})
	}
}

// named is a plugin in C with a box whose birth takes a name.
const named = `
#include "nyash.h"
static int32_t birth(NyashContext *c) { return nyash_return_void(c); }
static int32_t name(NyashContext *c) { return nyash_return_string(c, "named", 5); }
static const NyashMethod methods[] = {
	{.id = NYASH_METHOD_BIRTH, .name = "birth", .call = birth, .args = {NYASH_ARG("name", NYASH_STRING)}, .result = NYASH_VOID},
	{.id = 1, .name = "name", .call = name, .result = NYASH_STRING},
};
static const NyashBox box = {.name = "Named", .type_id = 777, .state_size = sizeof(int), NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`

// TestRun_Sources: a script from standard input and from the command line, with its arguments.
func TestRun_Sources(t *testing.T) {
	c := newCommand(t)
	c.write(t, "args.star", "print(args)\n")
	stdout, stderr, status := c.run(t, "run", "args.star", "a", "--json", "-e")
	assert.Zero(t, status, stderr)
	assert.Equal(t, `["a", "--json", "-e"]`+"\n", stdout)
	stdout, stderr, status = c.run(t, "run", "-e", "print(1 + 1, args)", "a")
	assert.Zero(t, status, stderr)
	assert.Equal(t, "2 [\"a\"]\n", stdout)
	stdout, stderr, status = c.run(t, "run", "-e", "x = [1, 2]", "-e", "print(x, args)", "a")
	assert.Zero(t, status, stderr)
	assert.Equal(t, "[1, 2] [\"a\"]\n", stdout)
	_, stderr, status = c.run(t, "run", "-e", "x = 1", "-e", "print(FilBox)")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "-e:2:7: undefined: FilBox")
	_, stderr, status = c.run(t, "run", "-e", "print(FilBox)")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "-e:1:7: undefined: FilBox (did you mean FileBox?)")

	cmd := exec.Command(c.bin, "run", "-", "a")
	cmd.Dir, cmd.Stdin = c.dir, strings.NewReader("print('from there', args)")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "from there [\"a\"]\n", string(out))
}

// TestCompletion: shells complete values of flags, methods and scripts.
func TestCompletion(t *testing.T) {
	c := newCommand(t)
	for words, want := range map[string]string{
		"--log-level ":     "debug\ninfo\nwarn\nerror\n:4\n",
		"run --isolation ": "none\nprocess\n:4\n",
		"call F":           "FileBox.\n:6\n",
		"run ":             "star\n:8\n",
		"run x.star ":      ":0\n",
		"inspect F":        "FileBox\n:4\n",
		"inspect ":         "so\ndylib\ndll\nwasm\ntoml\n:8\n",
		"gen c --box ":     "FileBox\n:6\n",
		"gen c ":           "toml\n:8\n",
		"new X --lang c":   "c\ncpp\n:4\n",
		"--config ":        "toml\n:8\n",
	} {
		stdout, _, status := c.run(t, append([]string{"__complete"}, strings.Split(words, " ")...)...)
		assert.Zero(t, status)
		assert.Equal(t, want, stdout, words)
	}
	stdout, _, _ := c.run(t, "__complete", "call", "FileBox.w")
	assert.Contains(t, stdout, "FileBox.write\n")
}

func TestVersion(t *testing.T) {
	c := newCommand(t)
	flag, _, _ := c.run(t, "--version")
	command, _, _ := c.run(t, "version")
	assert.Equal(t, command, flag)
	assert.Contains(t, flag, "plugin ABI 1")
	require.NoError(t, os.Remove(filepath.Join(c.dir, "nyash.toml"))) // which it does without
	_, _, status := c.run(t, "--version")
	assert.Zero(t, status)
}
