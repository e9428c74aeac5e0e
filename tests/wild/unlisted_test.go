package wild

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
)

// TestUnlisted: a box that nyash.toml does not list, or lists for another spelling of the
// library, is named where one comes as a result.
func TestUnlisted(t *testing.T) {
	const manifest = "[plugins]\nServerBox = \"./nyash_box.toml\"\nClientBox = \"./nyash_box.toml\"\n"
	const same = "is the library of ServerBox already, which is called ./nyash_box.toml there (line 2); name it the same way in both entries"
	for name, tt := range map[string]struct{ toml, want, refused string }{
		"plugins form": {manifest, `that type is ResponseBox in DIR/nyash_box.toml, and nyash.toml does not list it: add ResponseBox = "./nyash_box.toml" to [plugins]`, ""},
		"libraries form": {"[libraries.http]\nboxes = [\"ServerBox\", \"ClientBox\"]\npath = \"./nyash_box.toml\"\n",
			`that type is ResponseBox in DIR/nyash_box.toml, and nyash.toml does not list it: add "ResponseBox" to its boxes`, ""},
		"another spelling": {manifest + "ResponseBox = \"./build/../nyash_box.toml\"\n",
			"nyash.toml lists it (line 4) for another library, ./build/../nyash_box.toml, which is the same file: write the library alike", ""},
		"another spelling, loaded": {manifest + "ResponseBox = \"./build/../nyash_box.toml\"\n",
			"nyash.toml lists it (line 4) for another library", "nyash.toml:4:1: plugins.ResponseBox: ./build/../nyash_box.toml " + same},
		"the library's own path, loaded": {manifest + "RequestBox = \"./build/libhttp.so\"\nResponseBox = { library = \"./build/libhttp.so\", type_id = 73 }\n",
			"nyash.toml lists it (line 5) for another library, ./build/libhttp.so", "nyash.toml:4:1: plugins.RequestBox: ./build/libhttp.so " + same},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := programs[slices.IndexFunc(programs, func(p program) bool { return p.name == "http, tables" })].place(t)
			write(t, dir, "nyash.toml", tt.toml)
			script := "s = ServerBox()\ns.start()\n"
			if tt.refused != "" { // then both spellings are to be loaded
				script += "print(catch(ResponseBox)[1])\n"
			}
			write(t, dir, "use.star", script+"ClientBox().get(\"mem://8080/\")\n")
			for way, flags := range ways {
				stdout, stderr, err := command(t, dir, append(flags, "run", "use.star")...)
				require.Error(t, err, way)
				assert.Contains(t, stderr, "ClientBox.get: no such box: the result is a handle of type 73, instance ")
				assert.Contains(t, stderr, strings.ReplaceAll(tt.want, "DIR", dir), way)
				if tt.refused == "" {
					assert.NotContains(t, stderr, "level=WARN", way)
				} else {
					assert.Contains(t, stdout, tt.refused, way)
				}
			}
		})
	}
}

// TestMistake_Once: a mistake in a manifest is said once, as the error of its box.
func TestMistake_Once(t *testing.T) {
	dir := t.TempDir()
	copyFile(t, filepath.Join(dir, "libnote.so"), library(t, "note/note.c"))
	write(t, dir, "nyash.toml", short)
	write(t, dir, registry.ManifestName, noteManifest+"methods = { read = { id = 2, args = 5 } }\ncolour = 1\n[box]\n[Other]\n")
	write(t, dir, "use.star", "NoteBox()\n")
	_, stderr, err := command(t, dir, "run", "use.star")
	require.Error(t, err)
	assert.Equal(t, 1, strings.Count(stderr, "it must be an array, and this is an integer"), stderr)
	assert.Equal(t, 1, strings.Count(stderr, "NoteBox.colour: unknown key"), stderr)
	assert.Equal(t, 1, strings.Count(stderr, "level=WARN"), stderr)
	assert.Contains(t, stderr, "Other: this table is ignored")
}

// TestOtherTypeID: a type_id that takes the place of the manifest's is warned about when the
// library is loaded.
func TestOtherTypeID(t *testing.T) {
	dir := t.TempDir()
	copyFile(t, filepath.Join(dir, "libnote.so"), library(t, "note/note.c"))
	write(t, dir, "nyash.toml", strings.Replace(note, "type_id = 11", "type_id = 12", 1))
	write(t, dir, registry.ManifestName, noteManifest)
	write(t, dir, "use.star", "NoteBox()\n")
	_, stderr, err := command(t, dir, "run", "use.star")
	require.NoError(t, err, stderr)
	assert.Equal(t, 1, strings.Count(stderr, "nyash.toml says type_id 12, and "+dir+"/nyash_box.toml says 11 (line 4)"), stderr)
}
