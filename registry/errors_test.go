package registry_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
)

var update = flag.Bool("update", false, "write the golden files")

// chunk is one of the files in testdata/errors.toml or testdata/manifests.toml.
type chunk struct {
	name     string
	text     string
	want     map[int]string // by line of the chunk
	warnings bool           // what is wanted are warnings, of a file that is read
}

// files are the wrong files, with what reads them.
var files = []struct {
	chunks, name, golden string
	problems             func(text string) (warnings registry.Errors, err error)
}{
	{"testdata/errors.toml", "nyash.toml", "testdata/errors.golden", func(text string) (registry.Errors, error) {
		c, err := registry.Parse("nyash.toml", []byte(text))
		if err != nil {
			return nil, err
		}
		return c.Warnings, nil
	}},
	{"testdata/manifests.toml", "nyash_box.toml", "testdata/manifests.golden", func(text string) (registry.Errors, error) {
		d, err := registry.ParseManifest("nyash_box.toml", []byte(text))
		if err != nil {
			return nil, err
		}
		return d.Warnings, nil
	}},
}

func chunks(t *testing.T, file string) []chunk {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(data), "\n### ")
	require.True(t, found)
	var all []chunk
	for text := range strings.SplitSeq(rest, "\n### ") {
		name, body, _ := strings.Cut(text, "\n")
		c := chunk{name: name, text: body, want: map[int]string{}}
		for i, line := range strings.Split(body, "\n") {
			if _, want, ok := strings.Cut(line, "# ERROR "); ok {
				c.want[i+1] = want
			} else if _, want, ok := strings.Cut(line, "# WARNING "); ok {
				c.want[i+1], c.warnings = want, true
			}
		}
		all = append(all, c)
	}
	return all
}

func TestErrors(t *testing.T) {
	for _, f := range files {
		for _, c := range chunks(t, f.chunks) {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				require.NotEmpty(t, c.want, "the chunk expects no error")
				errs, err := f.problems(c.text)
				if c.warnings {
					require.NoError(t, err)
				} else {
					require.ErrorAs(t, err, &errs)
				}
				for _, e := range errs {
					want, expected := c.want[e.Line]
					if !expected {
						t.Errorf("unexpected: %v", e)
						continue
					}
					delete(c.want, e.Line)
					text := strings.TrimPrefix(e.Error(), e.Position.String()+": ")
					text = strings.TrimPrefix(text, e.Key+": ")
					assert.True(t, strings.HasPrefix(text, want), "line %d\nwant %s\ngot  %s", e.Line, want, text)
					assert.Equal(t, f.name, e.File)
					assert.Positive(t, e.Column)
				}
				assert.Empty(t, c.want, "errors that did not come")
			})
		}
	}
}

// TestErrorsInFull keeps what a person sees of each error.
func TestErrorsInFull(t *testing.T) {
	for _, f := range files {
		var got strings.Builder
		for _, c := range chunks(t, f.chunks) {
			// The expectations are no part of what a person sees.
			var lines []string
			for line := range strings.SplitSeq(c.text, "\n") {
				line, _, _ = strings.Cut(line, " # ERROR ")
				line, _, _ = strings.Cut(line, " # WARNING ")
				lines = append(lines, line)
			}
			warnings, err := f.problems(strings.Join(lines, "\n"))
			if c.warnings {
				require.NoError(t, err)
				err = warnings
			}
			fmt.Fprintf(&got, "### %s\n%+v\n\n", c.name, err)
		}
		if *update {
			require.NoError(t, os.WriteFile(f.golden, []byte(got.String()), 0o644))
		}
		want, err := os.ReadFile(f.golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), got.String())
	}
}

func TestErrorIsUTF8(t *testing.T) {
	_, err := registry.Parse("nyash.toml", []byte("[plugins]\nA = \"caf\xe9\"\n"))
	assert.EqualError(t, err, "nyash.toml:2:9: byte 0xe9 is not UTF-8; save the file as UTF-8")
}

func TestSeveralErrorsAreInTheOrderOfTheFile(t *testing.T) {
	_, err := registry.Parse("nyash.toml", []byte("[plugins.A]\ntype_id = true\nlibary = \"x\"\n"))
	assert.EqualError(t, err, strings.Join([]string{
		`nyash.toml:1:10: plugins.A: it names no library; add library = "a name or path"`,
		`nyash.toml:2:11: plugins.A.type_id: it must be an integer, and this is a boolean; write type_id = 6`,
		`nyash.toml:3:1: plugins.A.libary: unknown key; did you mean library?`,
	}, "\n"))
}

func TestWarnings(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"plugin":      {"[plugin]\n", "nyash.toml:1:2: plugin: this table is ignored; did you mean plugins?"},
		"plugin_path": {"[plugin_path]\n", "nyash.toml:1:2: plugin_path: this table is ignored; did you mean plugin_paths?"},
		"librarys":    {"[librarys]\n", "nyash.toml:1:2: librarys: this table is ignored; did you mean libraries?"},
		"alias": {`[libraries."l.so".A]
methods = { call = { method_id = 5 }, callKw = { method_id = 5 } }`,
			`nyash.toml:2:50: libraries."l.so".A.methods.callKw: method_id 5 is call's already (line 2); both names call the same method`},
		"other tools": {"[env]\n[using]\npaths = []\n[modules]\na.b = 1\n[verify.required_methods]\n[dependencies]\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := registry.Parse("nyash.toml", []byte(tt.text))
			require.NoError(t, err)
			if tt.want == "" {
				assert.Empty(t, c.Warnings)
				return
			}
			require.Len(t, c.Warnings, 1)
			assert.EqualError(t, c.Warnings[0], tt.want)
		})
	}
}
