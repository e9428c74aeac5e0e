package docs

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
	"github.com/nyash-plugins/nyash-go/tools/script"
)

// TestPluginGuide does what docs/plugin-guide.md says, in each language: it makes a
// plugin, puts the listing in place of the source, and runs and checks it.
func TestPluginGuide(t *testing.T) {
	root := ccbuild.Root(t)
	guide := filepath.Join(root, "docs", "plugin-guide.md")
	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "build")
	script := blocks(t, guide, "python")
	require.Len(t, script, 2)
	settings := blocks(t, guide, "toml")
	require.Len(t, settings, 1)
	const printed = "5\n2 4\nWordBox.forget: plugin error (-5): no such word: dog\n"
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	require.Contains(t, string(text), "$ make run\n"+printed)
	const reported = "1 more words\nReportBox.compare: invalid arguments (-4): WordBox.words: the handle is that of another box\n"
	require.Contains(t, string(text), "$ make run\n"+reported)

	for lang, source := range map[string]string{"c": "word_box.c", "cpp": "word_box.cpp", "rust": "src/lib.rs"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			listing := blocks(t, guide, lang)
			if lang == "c" { // which has one between the two, of its own
				require.Len(t, listing, 3)
				listing = []string{listing[0], listing[2]}
			}
			require.Len(t, listing, 2)
			folder := t.TempDir()
			dir := folder
			run := func(command string) string {
				cmd := exec.Command("bash", "-eu", "-c", command)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"), "MAKEFLAGS=", "MAKELEVEL=")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s\n%s", command, out)
				return string(out)
			}
			begin := func(box, project string, files map[string]string) {
				dir = folder
				run("nyash new " + box + " --lang " + lang)
				dir = filepath.Join(dir, project)
				for file, text := range files {
					_, err := os.Stat(filepath.Join(dir, file))
					require.NoError(t, err, "it replaces a file that is there")
					require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644))
				}
				run("make")
			}
			begin("WordBox", "word-box", map[string]string{source: listing[0], "example.star": script[0]})
			assert.True(t, strings.HasSuffix(run("make run"), printed))
			library := filepath.Join("build", "libword_box_plugin.so")
			run("plugin-tester check " + library)
			run("plugin-tester typecheck " + library + " --config nyash.toml")
			assert.Contains(t, run("nyash list --doc"), "How often a word has come.")
			assert.Contains(t, run("nyash inspect "+library), "WordBox")

			source := strings.Replace(source, "word", "report", 1)
			begin("ReportBox", "report-box", map[string]string{source: listing[1], "example.star": script[1], "nyash.toml": settings[0]})
			assert.True(t, strings.HasSuffix(run("make run"), reported))
			_, uses, _ := strings.Cut(settings[0], "report-box-plugin\"\n")
			assert.Contains(t, run("nyash inspect --toml "+filepath.Join("build", "libreport_box_plugin.so")), "\n"+uses)
		})
	}
}

// TestPluginGuide_Tally: the listing in C of instances that are returned and of arguments that may be left
// out does what the text says.
func TestPluginGuide_Tally(t *testing.T) {
	listing := blocks(t, filepath.Join(ccbuild.Root(t), "docs", "plugin-guide.md"), "c")
	require.Len(t, listing, 3)
	h := hosttest.Open(t, "[plugins.TallyBox]\nlibrary = \""+ccbuild.Source(t, "tally_box", listing[1])+"\"\n")
	for code, want := range map[string]string{
		"a = TallyBox(5); a.add(); b = a.copy(); b.add(10); print(a.add(0), b.add(0), TallyBox().add(0))": "6 16 0\n",
		"print(catch(TallyBox().add, 3.5))": "argument 1 (by): wanted i64 or i32, got f64",
		"TallyBox().add(by = 3)":            "the names of its arguments are not declared",
	} {
		var out strings.Builder
		err := script.New(h, &out).RunSource(t.Context(), "-e", []byte(code))
		if err != nil {
			out.WriteString(err.Error())
		}
		assert.Contains(t, out.String(), want, code)
	}
}
