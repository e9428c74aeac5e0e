package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// boxOf is what nyash.toml calls a vendor's box.
func boxOf(vendor string) string { return strings.ToUpper(vendor[:1]) + vendor[1:] + "Counter" }

// vendors are two libraries with a box of one name and one type id, in a nyash.toml that calls them
// AcmeCounter and GlobexCounter.
func vendors(t *testing.T, c *command, form string) {
	t.Helper()
	toml := ""
	for _, vendor := range []string{"acme", "globex"} {
		box := boxOf(vendor)
		library := filepath.Join(c.dir, vendor, "lib"+vendor+".so")
		require.NoError(t, os.MkdirAll(filepath.Dir(library), 0o755))
		ccbuild.LibraryAt(t, library, filepath.Join(ccbuild.Root(t), "cmd/nyash/testdata/vendor.c"), "-fvisibility=hidden", "-DFORM="+form, `-DVENDOR="`+vendor+`"`)
		toml += "[plugins." + box + "]\nlibrary = \"./" + vendor + "/lib" + vendor + ".so\"\nbox = \"Counter\"\n"
		if form == "2" {
			toml += "type_id = 710\nmethods = { vendor = {}, me = {}, own = {} }\n"
		}
	}
	c.write(t, "nyash.toml", toml)
}

// TestVendors: every command tells two vendors' boxes of one name and one type id apart, however the
// libraries describe them.
func TestVendors(t *testing.T) {
	c := newCommand(t)
	tester := ccbuild.Built(t, "plugin-tester")
	const code = `a = AcmeCounter()
b = GlobexCounter()
print(a.vendor(), b.vendor(), a.own(a), a.own(b), type(a), type(a.me()), type(b.me()), a.me() == a, a.me() == b)
`
	const said = "acme globex True False AcmeCounter AcmeCounter GlobexCounter True False\n"
	for name, form := range map[string]string{"init": "0", "text": "1", "table": "2"} {
		t.Run(name, func(t *testing.T) {
			vendors(t, c, form)
			ok := func(args ...string) string {
				t.Helper()
				stdout, stderr, status := c.run(t, args...)
				require.Zero(t, status, stderr)
				assert.Empty(t, stderr)
				return stdout
			}
			assert.Equal(t, said, ok("run", "-e", code))
			assert.Equal(t, said, ok("--isolation", "process", "run", "-e", code))
			assert.Equal(t, "globex\n", ok("call", "GlobexCounter.vendor"))
			assert.Equal(t, "acme\n", ok("--isolation", "process", "call", "AcmeCounter.vendor"))

			repl := exec.Command(c.bin, "repl")
			repl.Dir, repl.Stdin = c.dir, strings.NewReader(code+"b\nb.vendr()\nhelp(GlobexCounter)\n")
			out, err := repl.CombinedOutput()
			require.ErrorContains(t, err, "exit status 1")
			assert.Contains(t, string(out), said)
			assert.Regexp(t, `\nGlobexCounter\(1\)\nerror: line \d+: GlobexCounter\.vendr: no such method \(did you mean vendor\?\)\nGlobexCounter\(…\)\n`, string(out))

			assert.Regexp(t, `(?m)^AcmeCounter +710 +\./acme/libacme\.so .*\n(.*\n)*GlobexCounter +710 +\./globex/libglobex\.so `, ok("list"))
			var boxes []struct {
				Box, File string
				TypeID    uint32 `json:"type_id"`
			}
			listed(t, ok("list", "--json"), &boxes)
			for _, b := range boxes[:2] {
				vendor := strings.ToLower(strings.TrimSuffix(b.Box, "Counter"))
				assert.Equal(t, filepath.Join(c.dir, vendor, "lib"+vendor+".so"), b.File)
				assert.EqualValues(t, 710, b.TypeID)
			}

			assert.Contains(t, ok("inspect", "GlobexCounter"), "libglobex.so\n")
			goCode := ok("gen", "go")
			assert.Contains(t, goCode, "func NewAcmeCounter(")
			assert.Contains(t, goCode, "func NewGlobexCounter(")
			if form == "1" { // it needs all that only a text says
				testVendorsDeclared(t, c, ok)
			}
			for _, vendor := range []string{"acme", "globex"} {
				checks := []string{"check", "typecheck"}
				if os.Getenv("NYASH_TEST_FAULTY") == "all" {
					checks = append(checks, "lifecycle")
				}
				for _, check := range checks {
					cmd := exec.Command(tester, check, vendor+"/lib"+vendor+".so", "--config", "nyash.toml", "--json")
					cmd.Dir = c.dir
					out, err := cmd.Output()
					require.NoError(t, err, "%s %s: %s", check, vendor, out)
					var report struct{ Clean bool }
					require.NoError(t, json.Unmarshal(out, &report))
					assert.True(t, report.Clean)
				}
				cmd := exec.Command(tester, "tlv-debug", vendor+"/lib"+vendor+".so", "--config", "nyash.toml", "--method", boxOf(vendor)+".vendor")
				cmd.Dir = c.dir
				out, err := cmd.Output()
				require.NoError(t, err, "%s", out)
				assert.Contains(t, string(out), `"`+vendor+`"`)
			}
		})
	}
}

// testVendorsDeclared: the entry that inspect writes is that of the alias, and gives code for its plugin
// the library's own name.
func testVendorsDeclared(t *testing.T, c *command, ok func(...string) string) {
	t.Helper()
	entry := ok("inspect", "GlobexCounter", "--toml")
	assert.Contains(t, entry, "[plugins.GlobexCounter]\nlibrary = \"./globex/libglobex.so\"\nbox = \"Counter\"\ntype_id = 710\n")
	assert.Contains(t, entry, `returns = "GlobexCounter"`)
	c.write(t, "nyash.toml", entry+ok("inspect", "AcmeCounter", "--toml"))
	assert.Equal(t, "GlobexCounter\n", ok("run", "-e", "print(type(GlobexCounter().me()))"))
	for _, language := range []string{"c", "cpp", "rust"} {
		code := ok("gen", language, "--box", "GlobexCounter")
		assert.Contains(t, code, "Counter")
		assert.NotContains(t, code, "GlobexCounter", "the plugin has a name of its own for it")
	}
}
