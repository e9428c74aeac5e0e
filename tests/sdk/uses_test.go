package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

const userCrate = "tests/sdk/testdata/user"

// users are the same box in each language: one that calls the boxes of its host.
var users = map[string]func(testing.TB) string{
	"c":   func(t testing.TB) string { return library(t, "uses.c") },
	"cpp": func(t testing.TB) string { return library(t, "uses.cpp") },
	"rust": func(t testing.TB) string {
		return once("user", func() string { return filepath.Join(cargo(t, userCrate, "build"), "debug", fileName("user")) })
	},
}

// conversation is a part of testdata/uses.txt: what is said to testdata/uses_host.c, in
// lines that begin with "> ", and what that and the plugin answer.
type conversation struct {
	name      string
	languages []string
	said      string
	answered  string
}

func conversations(t testing.TB) (all []conversation) {
	t.Helper()
	text, err := os.ReadFile("testdata/uses.txt")
	require.NoError(t, err)
	for part := range strings.SplitSeq(strings.TrimPrefix(string(text), "### "), "\n### ") {
		head, lines, _ := strings.Cut(part, "\n")
		name, languages, _ := strings.Cut(head, ": ")
		c := conversation{name: name, languages: strings.Fields(languages)}
		for line := range strings.SplitSeq(strings.Trim(lines, "\n"), "\n") {
			if said, ok := strings.CutPrefix(line, "> "); ok {
				c.said += said + "\n"
				continue
			}
			c.answered += line + "\n"
		}
		require.NotEmpty(t, c.languages)
		all = append(all, c)
	}
	return all
}

// converse runs a command of the host with a library and returns what it prints.
func converse(t testing.TB, said string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(said)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", out, errs.String())
	return string(out)
}

// TestUses has a plugin in each language call a host that counts holds and memory.
func TestUses(t *testing.T) {
	host := ccbuild.Program(t, "testdata/uses_host.c", "-std=gnu11", "-ldl")
	for _, c := range conversations(t) {
		for _, language := range c.languages {
			t.Run(c.name+"/"+language, func(t *testing.T) {
				assert.Equal(t, c.answered, converse(t, c.said, host, users[language](t)))
			})
		}
	}
}

// TestUses_Valgrind has the same conversations under valgrind.
func TestUses_Valgrind(t *testing.T) {
	host := ccbuild.Program(t, "testdata/uses_host.c", "-std=gnu11", "-ldl")
	for _, c := range conversations(t) {
		for _, language := range c.languages {
			if !whole && (language != "c" || c.name == "threads" || strings.HasPrefix(c.name, "a ")) {
				continue
			}
			t.Run(c.name+"/"+language, func(t *testing.T) {
				kinds := "definite,indirect"
				if language == "rust" {
					kinds = "definite" // a static holds on to what it has
				}
				command := append([]string{"valgrind"}, leakCheck(kinds)...)
				assert.Equal(t, c.answered, converse(t, c.said, append(command, host, users[language](t))...))
			})
		}
	}
}

// TestUses_Sanitized has the threads of them watched by the compiler's sanitizers.
func TestUses_Sanitized(t *testing.T) {
	if !whole {
		return
	}
	for _, sanitizer := range []string{"thread", "address,undefined"} {
		flags := []string{"-fsanitize=" + sanitizer, "-fno-sanitize-recover=all"}
		host := ccbuild.Program(t, "testdata/uses_host.c", append(flags, "-std=gnu11", "-ldl")...)
		for language, source := range map[string]string{"c": "testdata/uses.c", "cpp": "testdata/uses.cpp"} {
			library := ccbuild.Library(t, source, append(flags, "-fvisibility=hidden")...)
			for _, c := range conversations(t) {
				if slices.Contains(c.languages, language) {
					assert.Equal(t, c.answered, converse(t, c.said, host, library), "%s, %s", c.name, sanitizer)
				}
			}
		}
	}
}

// TestUses_StaticHold: a hold in a static object calls nothing when the library or the
// process ends.
func TestUses_StaticHold(t *testing.T) {
	host := ccbuild.Program(t, "testdata/uses_host.c", "-std=gnu11", "-ldl")
	out := converse(t, "load\nnew\ncall 1 keep\nunload\n", host, users["cpp"](t))
	assert.True(t, strings.HasSuffix(out, "\ni64 1\n"), out)
}

// TestUses_Described: what the boxes use stands in the self-description, with the first of
// them and once.
func TestUses_Described(t *testing.T) {
	for language, want := range map[string]string{
		"c":    `uses = ["CounterBox", "ClockBox.now", "SecretBox", "MissingBox", "EventBox.publish:file.*"]`,
		"cpp":  `uses = ["CounterBox", "ClockBox.now", "SecretBox", "MissingBox", "EventBox.publish:file.*"]`,
		"rust": `uses = ["CounterBox", "ClockBox.now", "SecretBox", "MissingBox", "EventBox.publish:file.*", "EventBox.publish:dir.*"]`,
	} {
		text := describe(t, users[language](t))
		assert.Equal(t, 1, strings.Count(text, "uses = "), language)
		assert.Regexp(t, `(?m)^\[plugins.UserBox\]\n(.*\n)*`, text)
		first, _, _ := strings.Cut(text, "[plugins.UserBox.methods]")
		assert.Contains(t, first, want+"\n", language)
		assert.Regexp(t, `(?m)^lent = \{ method_id = 12, args = \[ ?\{ name = "other", from = "box", to = "handle" \},? ?\], returns = "i64" \}$`, text)
		assert.Regexp(t, `(?m)^clone = \{ method_id = 14, args = \[ ?\], returns = "handle" \}$`, text)
	}
	assert.NotContains(t, describe(t, library(t, "all.c")), "uses")
}

// TestUses_WithoutConnect: a plugin that calls the host and does not export
// nyash_plugin_connect cannot be built, and the linker names what is missing.
func TestUses_WithoutConnect(t *testing.T) {
	for _, source := range []string{"uses.c", "uses.cpp"} {
		text, err := os.ReadFile(filepath.Join("testdata", source))
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), source)
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "\nNYASH_CONNECT\n", "\n", 1)), 0o600))
		compiler := map[string]string{"uses.c": "cc", "uses.cpp": "c++"}[source]
		args := []string{"-shared", "-fPIC", "-o", file + ".so", file}
		for _, folder := range []string{"abi/include", "plugins/sdk/c", "plugins/sdk/cpp"} {
			args = append(args, "-I", filepath.Join(ccbuild.Root(t), folder))
		}
		out, err := exec.Command(compiler, args...).CombinedOutput()
		require.Error(t, err, source)
		assert.Contains(t, string(out), "nyash_calls_need_NYASH_CONNECT", source)
	}
}

// TestUses_NotExported: a plugin that does not use its host exports nothing for it.
func TestUses_NotExported(t *testing.T) {
	for language, c := range counters {
		assert.NotContains(t, ccbuild.Run(t, "nm", "-D", c.library(t)), "nyash_plugin_connect", language)
	}
	for language, library := range users {
		assert.Contains(t, ccbuild.Run(t, "nm", "-D", library(t)), " T nyash_plugin_connect", language)
	}
}
