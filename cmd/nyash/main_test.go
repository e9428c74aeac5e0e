package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

// command is the built program, in a folder with a nyash.toml and FileBox.
type command struct {
	bin string
	dir string
}

func newCommand(t *testing.T) *command {
	t.Helper()
	c := &command{bin: filepath.Join(t.TempDir(), "nyash"), dir: t.TempDir()}
	build := exec.Command("go", "build", "-o", c.bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	c.write(t, "nyash.toml", hosttest.PluginTOML(t, "filebox", "nyash-filebox-plugin"))
	lib := filepath.Join(c.dir, "plugins", "filebox", "build")
	require.NoError(t, os.MkdirAll(lib, 0o755))
	ccbuild.PluginAt(t, filepath.Join(lib, "libnyash_filebox_plugin.so"), "filebox")
	return c
}

func (c *command) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o644))
}

// run returns what the program printed and its exit status.
func (c *command) run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(c.bin, args...)
	cmd.Dir = c.dir
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// listed reads what `nyash list --json` printed.
func listed(t *testing.T, stdout string, boxes any) {
	t.Helper()
	var list struct {
		Version int
		Boxes   json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.Equal(t, 1, list.Version)
	require.NoError(t, json.Unmarshal(list.Boxes, boxes))
}

func TestNyash(t *testing.T) {
	c := newCommand(t)

	t.Run("the script that the issue promises", func(t *testing.T) {
		c.write(t, "hello.star", `file = FileBox()
file.open("data.txt", "w")
file.write("Hello from Nyash!")
file.close()
`)
		stdout, stderr, status := c.run(t, "run", "hello.star")
		assert.Empty(t, stdout)
		assert.Empty(t, stderr)
		assert.Zero(t, status)
		data, err := os.ReadFile(filepath.Join(c.dir, "data.txt"))
		require.NoError(t, err)
		assert.Equal(t, "Hello from Nyash!", string(data))
	})

	t.Run("list", func(t *testing.T) {
		stdout, stderr, status := c.run(t, "list")
		assert.Empty(t, stderr)
		assert.Zero(t, status)
		assert.Contains(t, stdout, "FileBox     6           nyash-filebox-plugin  four symbols  open       1   (path string, mode string) → void\n")
		assert.Contains(t, stdout, "ConsoleBox  4294967295  (built in)")
	})

	t.Run("list of some", func(t *testing.T) {
		stdout, stderr, status := c.run(t, "list", "TimeBox")
		assert.Empty(t, stderr)
		assert.Zero(t, status)
		assert.Contains(t, stdout, "TimeBox")
		assert.NotContains(t, stdout, "FileBox")
		_, stderr, status = c.run(t, "list", "FileBoks")
		assert.Equal(t, 2, status)
		assert.Equal(t, "nyash: there is no box FileBoks in nyash.toml (did you mean FileBox?)\n", stderr)
		_, stderr, status = c.run(t, "list", "--live", "FileBox")
		assert.Equal(t, 2, status)
		assert.Contains(t, stderr, "leave out FileBox")
	})

	t.Run("list of a singleton with a birth", func(t *testing.T) {
		c.write(t, "born.toml", `[plugins.FileBox]
library = "nyash-filebox-plugin"
singleton = true
[plugins.FileBox.methods]
birth = { method_id = 0, args = [ { name = "path", from = "string", to = "string" } ] }
size = { method_id = 6, args = [], returns = "i64", leaf = true }
`)
		stdout, stderr, status := c.run(t, "--config", "born.toml", "list")
		assert.Empty(t, stderr)
		assert.Zero(t, status)
		assert.Regexp(t, `(?m)^FileBox \(singleton\)  6           nyash-filebox-plugin .*birth      0   \(path string\)$\n^ +size       6   \(\) → i64, leaf$\n^ +open       1 `, stdout)
		assert.Regexp(t, `(?m)^ConsoleBox           4294967295`, stdout)
	})

	t.Run("list as JSON", func(t *testing.T) {
		stdout, _, status := c.run(t, "list", "--json")
		assert.Zero(t, status)
		var boxes []struct {
			Box     string
			Builtin bool
			File    string
			TypeID  uint32 `json:"type_id"`
			Methods []struct {
				Method   string
				MethodID uint32 `json:"method_id"`
				Args     []struct{ Name, From, To string }
				Returns  string
			}
		}
		listed(t, stdout, &boxes)
		require.Len(t, boxes, 3)
		file := boxes[0]
		assert.Equal(t, "FileBox", file.Box)
		assert.EqualValues(t, 6, file.TypeID)
		assert.Equal(t, filepath.Join(c.dir, "plugins", "filebox", "build", "libnyash_filebox_plugin.so"), file.File)
		assert.Equal(t, "write", file.Methods[2].Method)
		assert.EqualValues(t, 3, file.Methods[2].MethodID)
		assert.Equal(t, "i32", file.Methods[2].Returns)
		assert.Equal(t, struct{ Name, From, To string }{"data", "string", "bytes"}, file.Methods[2].Args[0])
		assert.True(t, boxes[1].Builtin)
	})

	t.Run("list with a library that is missing", func(t *testing.T) {
		c.write(t, "other.toml", "[plugins.Gone]\nlibrary = \"nyash-gone\"\ntype_id = 9\n")
		stdout, stderr, status := c.run(t, "--config", "other.toml", "list")
		assert.Equal(t, 1, status)
		assert.Contains(t, stdout, "Gone        9           nyash-gone")
		assert.Contains(t, stdout, "library nyash-gone not found")
		assert.Equal(t, "nyash: 1 of 1 boxes cannot be used\n", stderr)
		assert.Contains(t, stdout, "\nGone: other.toml:1:10: library nyash-gone not found; ", "it is named once")
	})

	t.Run("list with names that a terminal would obey", func(t *testing.T) {
		c.write(t, "escapes.toml", "[libraries.\"lib\\u001b[31m.so\"]\nboxes = [\"A\\u001b[31m\", \"B\\u202e\"]\n")
		for _, format := range []string{"", "--doc"} {
			stdout, stderr, status := c.run(t, strings.Fields("--config escapes.toml list "+format)...)
			assert.Equal(t, 1, status)
			assert.Contains(t, stdout, `A\x1b[31m`)
			assert.Contains(t, stdout, `B\u202e`)
			assert.NotContains(t, stdout+stderr, "\x1b")
			assert.NotContains(t, stdout+stderr, "\u202e")
		}
	})

	t.Run("list with a type id of 0", func(t *testing.T) {
		c.write(t, "zero.toml", "[plugins.Zero]\nlibrary = \"nyash-gone\"\ntype_id = 0\n[plugins.Unknown]\nlibrary = \"nyash-gone\"\n")
		stdout, _, _ := c.run(t, "--config", "zero.toml", "list")
		assert.Regexp(t, `(?m)^Zero +0 +nyash-gone`, stdout)
		assert.Regexp(t, `(?m)^Unknown +\? +nyash-gone`, stdout)
	})

	t.Run("a box that hides a name of scripts", func(t *testing.T) {
		c.write(t, "hides.toml", "[plugins]\nlen = \"nyash-gone\"\ncatch = \"nyash-gone\"\nConsoleBox = \"nyash-gone\"\n")
		c.write(t, "hides.star", "print(1)\n")
		stdout, stderr, status := c.run(t, "--config", "hides.toml", "run", "hides.star")
		assert.Zero(t, status)
		assert.Equal(t, "1\n", stdout)
		assert.Equal(t, `nyash: warning: hides.toml:2:1: the box len hides the len that every script has; give it another name, and say with box = "len" what its library calls it
nyash: warning: hides.toml:3:1: the box catch hides the catch that every script has; give it another name, and say with box = "catch" what its library calls it
`, stderr)
	})

	t.Run("an error in a script", func(t *testing.T) {
		c.write(t, "bad.star", "f = FileBox()\nf.open(\"/nope\", \"r\")\n")
		_, stderr, status := c.run(t, "run", "bad.star")
		assert.Equal(t, 1, status)
		assert.Equal(t, "nyash: bad.star:2:7: FileBox.open: plugin error (-5): no such file or directory: /nope\n", stderr, "no line of the log trails it")
	})

	t.Run("an error in nyash.toml", func(t *testing.T) {
		c.write(t, "bad.toml", "[plugins.FileBox]\nlibary = \"x\"\n")
		_, stderr, status := c.run(t, "--config", "bad.toml", "list")
		assert.Equal(t, 2, status)
		assert.Contains(t, stderr, "bad.toml:2:1: plugins.FileBox.libary: unknown key\n\n  2 | libary = \"x\"\n    | ^\n\n  did you mean library?\n")
	})

	t.Run("no nyash.toml", func(t *testing.T) {
		_, stderr, status := c.run(t, "--config", "none.toml", "list")
		assert.Equal(t, 2, status)
		assert.Contains(t, stderr, "none.toml: no such file or directory; a host needs a nyash.toml")
	})

	t.Run("log level", func(t *testing.T) {
		_, stderr, _ := c.run(t, "--log-level", "debug", "run", "hello.star")
		assert.Contains(t, stderr, "plugin=FileBox")
		_, stderr, status := c.run(t, "--log-level", "loud", "list")
		assert.Equal(t, 2, status)
		assert.Equal(t, "nyash: --log-level loud: write debug, info, warn or error\n", stderr)
	})

	t.Run("no script", func(t *testing.T) {
		for args, want := range map[string]string{
			"run":                "nyash: name a script: nyash run [flags] SCRIPT [ARG…]\n",
			"inspect":            "nyash: name a library: nyash inspect LIBRARY [flags]\n",
			"inspect x y --json": "nyash: name one library, not 2: nyash inspect LIBRARY [flags]\n",
		} {
			_, stderr, status := c.run(t, strings.Fields(args)...)
			assert.Equal(t, 2, status)
			assert.Equal(t, want, stderr)
		}
		for file, want := range map[string]string{
			"none.star": "nyash: none.star: no such file or directory\n",
			".":         "nyash: . is a folder; name a file in it\n",
		} {
			_, stderr, status := c.run(t, "run", file)
			assert.Equal(t, 2, status)
			assert.Equal(t, want, stderr)
		}
	})

	t.Run("unknown command", func(t *testing.T) {
		_, stderr, status := c.run(t, "lst")
		assert.Equal(t, 2, status)
		assert.Equal(t, "nyash: unknown command \"lst\" (did you mean list?); nyash --help lists the commands\n", stderr)
		for args, want := range map[string]string{
			"gen rst":               "nyash: unknown command \"rst\" (did you mean rust?); nyash gen --help lists the commands\n",
			"list x y":              "nyash: there is no box x in nyash.toml\n",
			"list FileB":            "nyash: there is no box FileB in nyash.toml (did you mean FileBox?)\n",
			"version x y":           "nyash: nyash version takes no arguments, and got x y\n",
			"list --doc --json":     "nyash: --doc and --json cannot be used together: leave out all but one\n",
			"list --loud":           "nyash: unknown flag: --loud (nyash list --help lists the flags)\n",
			"gen c a b":             "nyash: name one nyash.toml, not 2: nyash gen c [nyash.toml] [flags]\n",
			"gen c --box FilBox":    "nyash: no such box: FilBox (did you mean FileBox?)\n",
			"gen go --box FilBox":   "nyash: no such box: FilBox (did you mean FileBox?)\n",
			"new MyBox --lang perl": "nyash: --lang perl: there is no template for it; write ",
			"new my-box --lang c":   "nyash: \"my-box\" cannot be the name of a box: ",
			"new My --lang c .":     "nyash: .: the folder is not empty; ",
			"gen":                   "nyash: name a command; nyash gen --help lists them\n",
			"completion":            "nyash: name a command; nyash completion --help lists them\n",
			"completion fsh":        "nyash: unknown command \"fsh\" (did you mean fish?); nyash completion --help lists the commands\n",
			"completion bash x":     "nyash: nyash completion bash takes no arguments, and got x\n",
			"help lst":              "nyash: unknown command \"lst\" (did you mean list?); nyash --help lists the commands\n",
			"help gen rst":          "nyash: unknown command \"rst\" (did you mean rust?); nyash gen --help lists the commands\n",
		} {
			_, stderr, status := c.run(t, strings.Fields(args)...)
			assert.Equal(t, 2, status, args)
			assert.True(t, strings.HasPrefix(stderr, want), "%s: %s", args, stderr)
		}
	})

	t.Run("help", func(t *testing.T) {
		for args, want := range map[string]string{
			"":                "\n  list ",
			"help":            "\n  list ",
			"help list":       "nyash list [BOX…] [flags]",
			"help gen":        "\n  rust ",
			"help gen rust":   "nyash gen rust [nyash.toml] [flags]",
			"help completion": "\n  fish ",
			"completion bash": "__start_nyash",
		} {
			stdout, stderr, status := c.run(t, strings.Fields(args)...)
			assert.Zero(t, status, args)
			assert.Empty(t, stderr, args)
			assert.Contains(t, stdout, want, args)
		}
	})

	t.Run("version", func(t *testing.T) {
		stdout, _, status := c.run(t, "version")
		assert.Zero(t, status)
		assert.Regexp(t, `^nyash .*, plugin ABI 1, go1\.\d+`, stdout)
	})

	t.Run("repl", func(t *testing.T) {
		cmd := exec.Command(c.bin, "repl")
		cmd.Dir = c.dir
		cmd.Stdin = strings.NewReader("f = FileBox()\nf.exists('nyash.toml')\nf.opn()\n1 + 41\n")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s", out)
		assert.Equal(t, 1, exit.ExitCode())
		assert.Contains(t, string(out), "nyash: 1 of the statements failed\n")
		assert.Contains(t, string(out), "True")
		assert.Contains(t, string(out), "error: line 3: FileBox.opn: no such method (did you mean open?)")
		assert.Contains(t, string(out), "42")
	})
}

// TestInspect tries the command; tools/inspect has the tests of what it says.
func TestInspect(t *testing.T) {
	c := newCommand(t)
	const library = "plugins/filebox/build/libnyash_filebox_plugin.so"

	t.Run("text", func(t *testing.T) {
		for _, name := range []string{library, "nyash-filebox-plugin", "FileBox"} {
			stdout, stderr, status := c.run(t, "inspect", name)
			assert.Zero(t, status)
			assert.Empty(t, stderr)
			assert.Contains(t, stdout, "\nFileBox, type 6\n  Files of the operating system.\n    1  open(path string, mode string) → void  ")
		}
	})

	t.Run("JSON", func(t *testing.T) {
		stdout, _, status := c.run(t, "inspect", library, "--json")
		assert.Zero(t, status)
		var r inspect.Report
		require.NoError(t, json.Unmarshal([]byte(stdout), &r))
		assert.Equal(t, inspect.Version, r.Version)
		assert.Equal(t, "FileBox", r.Boxes[0].Box)
	})

	t.Run("an entry that can be used", func(t *testing.T) {
		stdout, stderr, status := c.run(t, "inspect", library, "--toml")
		assert.Zero(t, status)
		assert.Empty(t, stderr)
		c.write(t, "entry.toml", stdout)
		stdout, stderr, status = c.run(t, "--config", "entry.toml", "list")
		assert.Zero(t, status)
		assert.Empty(t, stderr)
		assert.Contains(t, stdout, "FileBox     6           "+library)
	})

	t.Run("errors", func(t *testing.T) {
		c.write(t, "text.so", "no library")
		c.write(t, "other.toml", "[plugins.Gone]\nlibrary = \"nyash-gone\"\ntype_id = 9\n")
		for _, tt := range []struct {
			args   []string
			want   string
			status int
		}{
			{[]string{"./none.so"}, "nyash: ./none.so: file does not exist; build the library, or name another file\n", 2},
			{[]string{"none"}, "nyash: none: file does not exist; neither nyash.toml nor a search path of it has that name; tried:\n", 2},
			{[]string{"./plugins"}, "nyash: ./plugins is a directory; name the library in it\n", 2},
			{[]string{"text.so", "--toml"}, "it is no ELF file: it starts with \"no library\"\n", 1},
			{[]string{library, "--isolation", "some"}, "nyash: --isolation some: write none or process\n", 2},
			{[]string{library, "--toml", "--json"}, "nyash: --json and --toml cannot be used together: leave out all but one\n", 2},
			{[]string{"FilBox"}, "nyash: FilBox: file does not exist (did you mean FileBox?); neither nyash.toml ", 2},
			{[]string{"Gone", "--config", "other.toml"}, "nyash: other.toml:1:10: library nyash-gone not found; ", 1},
			{[]string{library, "--timeout", "1ns"}, "no answer within 1ns", 1},
		} {
			_, stderr, status := c.run(t, append([]string{"inspect"}, tt.args...)...)
			assert.Equal(t, tt.status, status)
			assert.Contains(t, stderr, tt.want)
		}
	})
}

func TestList_Docs(t *testing.T) {
	c := newCommand(t)
	c.write(t, "docs.toml", `[plugins.FileBox]
library = "nyash-filebox-plugin"
doc = "Files. This is said at some length, so that the listing has to break it into two lines."
[plugins.FileBox.methods]
open = { args = [ { name = "path", from = "string", to = "string", doc = "where the file is" }, "mode" ], returns = "void", doc = "Opens \u001b[31mit." }
`)
	stdout, stderr, status := c.run(t, "--config", "docs.toml", "list", "--doc")
	assert.Zero(t, status)
	assert.Empty(t, stderr)
	assert.True(t, strings.HasPrefix(stdout, `FileBox, type 6, library nyash-filebox-plugin
  Files. This is said at some length, so that the listing has to break it into
  two lines.
    1  open(path string, mode) → void
         Opens \x1b[31mit.
         path: where the file is
    2  read() → bytes
         The whole file, up to 65,535 bytes.
`), stdout)
	stdout, _, status = c.run(t, "--config", "docs.toml", "list", "--json")
	assert.Zero(t, status)
	var boxes []inspect.Box
	listed(t, stdout, &boxes)
	assert.Contains(t, boxes[0].Doc, "at some length")
	assert.Equal(t, "where the file is", boxes[0].Methods[0].Args[0].Doc)
}

// TestInspect_JSONOfNoLibrary: whoever reads the JSON gets an object, whatever the file is.
func TestInspect_JSONOfNoLibrary(t *testing.T) {
	c := newCommand(t)
	c.write(t, "text", "no library")
	cmd := exec.Command(c.bin, "inspect", "./text", "--json")
	cmd.Dir = c.dir
	out, err := cmd.Output()
	require.Error(t, err)
	var report struct {
		Version int
		Loaded  bool
		Error   string
	}
	require.NoError(t, json.Unmarshal(out, &report))
	assert.Equal(t, 1, report.Version)
	assert.Contains(t, report.Error, "not a loadable shared library")
}

// TestList_Module: what a module is given is listed, and that it serves one call at a time.
func TestList_Module(t *testing.T) {
	c := newCommand(t)
	text := "[plugins.TallyBox]\ntype_id = 7\n"
	module := ccbuild.Module(t, filepath.Join(ccbuild.Root(t), "loader", "testdata", "described.c"), "-DTEXT="+strconv.Quote(text))
	c.write(t, "module.toml", "[plugins.TallyBox]\nlibrary = "+strconv.Quote(module)+`
instances = 2
limits = { memory = "64MiB" }
permissions = { read = ["."], write = ["./plugins", "."] }
`)
	stdout, stderr, status := c.run(t, "--config", "module.toml", "list")
	assert.Zero(t, status, stderr)
	assert.True(t, strings.HasSuffix(stdout, "\n\nTallyBox is a WebAssembly module: instances 2, memory 65536 KiB, read ., write ./plugins .\n"), stdout)
	stdout, _, status = c.run(t, "--config", "module.toml", "list", "--json")
	assert.Zero(t, status)
	var boxes []struct {
		Threads string
		Module  *struct {
			Instances   int
			Memory      uint64
			Read, Write []string
		}
	}
	listed(t, stdout, &boxes)
	assert.Equal(t, "serial", boxes[0].Threads)
	require.NotNil(t, boxes[0].Module)
	assert.Equal(t, 2, boxes[0].Module.Instances)
	assert.EqualValues(t, 64<<20, boxes[0].Module.Memory)
	assert.Equal(t, []string{"."}, boxes[0].Module.Read)
	assert.Equal(t, []string{"./plugins", "."}, boxes[0].Module.Write)
	assert.Nil(t, boxes[1].Module)
}

// TestList_Uses: what a plugin may call and what it asks for are listed. The boxes of the
// program that a file is for are not there, which only a script minds.
func TestList_Uses(t *testing.T) {
	c := newCommand(t)
	own := "[plugins.TallyBox]\ntype_id = 7\nuses = [\"ConsoleBox\", \"AppBox.work\", \"TimeBox.now\"]\n"
	library := ccbuild.Library(t, filepath.Join(ccbuild.Root(t), "loader", "testdata", "described.c"), "-fvisibility=hidden", "-DTEXT="+strconv.Quote(own))
	c.write(t, "uses.toml", "[plugins.TallyBox]\nlibrary = "+strconv.Quote(library)+"\nuses = [\"ConsoleBox.print\", \"AppBox\"]\n")
	const unknown = "uses.toml:3:29: plugins.TallyBox.uses: there is no box AppBox"

	stdout, stderr, status := c.run(t, "--config", "uses.toml", "list")
	assert.Zero(t, status)
	assert.Contains(t, stderr, "level=WARN")
	assert.Contains(t, stderr, unknown)
	assert.True(t, strings.HasSuffix(stdout, "\n\nTallyBox uses ConsoleBox.print, AppBox\nTallyBox asks to use ConsoleBox, TimeBox.now (not in uses)\n"), stdout)

	stdout, _, status = c.run(t, "--config", "uses.toml", "list", "--doc")
	assert.Zero(t, status)
	assert.Contains(t, strings.Join(strings.Fields(stdout), " "), "; uses ConsoleBox.print, AppBox; asks to use ConsoleBox, TimeBox.now (not in uses)")

	stdout, _, status = c.run(t, "--config", "uses.toml", "list", "--json")
	assert.Zero(t, status)
	var boxes []struct{ Uses, Asks []string }
	listed(t, stdout, &boxes)
	assert.Equal(t, []string{"ConsoleBox.print", "AppBox"}, boxes[0].Uses)
	assert.Equal(t, []string{"ConsoleBox", "TimeBox.now"}, boxes[0].Asks)
	assert.Empty(t, boxes[1].Uses)

	stdout, stderr, status = c.run(t, "--config", "uses.toml", "inspect", "TallyBox", "--toml")
	assert.Zero(t, status)
	assert.Contains(t, stderr, "nyash: warning: "+unknown)
	assert.Contains(t, stdout, "\nuses = [\"ConsoleBox\", \"AppBox.work\", \"TimeBox.now\"]\n")

	c.write(t, "script.star", "ConsoleBox()\n")
	_, stderr, status = c.run(t, "--config", "uses.toml", "run", "script.star")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, unknown+"\n\n  3 | uses = ")
}
