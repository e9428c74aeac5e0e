package registry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

func manifest(t testing.TB, text string) *registry.Description {
	t.Helper()
	d, err := registry.ParseManifest("nyash_box.toml", []byte(text))
	require.NoError(t, err)
	return d
}

func publicManifest(t testing.TB) *registry.Description {
	t.Helper()
	text, err := os.ReadFile("testdata/nyash_box.toml")
	require.NoError(t, err)
	return manifest(t, string(text))
}

func TestParseManifest(t *testing.T) {
	d := publicManifest(t)
	assert.Equal(t, map[string]string{"linux": "bin/libmap.so", "darwin": "bin/libmap.dylib", "windows": "bin/map.dll"}[runtime.GOOS], d.Artifact)
	require.Len(t, d.Warnings, 1)
	assert.ErrorContains(t, d.Warnings[0], "nyash_box.toml:31:1: MapBox.methods.length: id 3 is size's already (line 30); both names call the same method")

	m, ok := d.Box("MapBox")
	require.True(t, ok)
	assert.EqualValues(t, 11, m.TypeID)
	assert.Equal(t, "Keeps values.", m.Doc)
	assert.Equal(t, `(size integer→i64 = 16)`, m.Birth.Signature.String())
	var got []string
	for _, method := range m.Methods {
		got = append(got, fmt.Sprintf("%d %v", method.ID, *method))
	}
	assert.Equal(t, []string{
		`1 get(key, [or string]) → string`,
		`2 set(key, value, ttl float→f64 = 1, log bool = true) → void or error`,
		`3 size(…)`,
		`3 length(…)`,
		`0 keys() → string`,
		`5 format(text, …) → bytes or error`,
		`6 share(with box→handle) → handle`,
		`7 count(n integer→i32 = 5) → i32`,
	}, got)
	assert.Equal(t, "shares", m.Methods[6].Doc)
	assert.Equal(t, "the other", m.Methods[6].Args[0].Doc)

	set, ok := d.Box("SetBox")
	require.True(t, ok)
	assert.True(t, set.Singleton)
	bare, ok := d.Box("BareBox")
	require.True(t, ok, "a box needs no table of its own")
	assert.False(t, bare.HasTypeID)
}

func TestLoadManifest(t *testing.T) {
	dir := t.TempDir()
	d, err := registry.LoadManifest(dir)
	require.NoError(t, err)
	assert.Nil(t, d, "there is none")

	path := filepath.Join(dir, registry.ManifestName)
	require.NoError(t, os.WriteFile(path, []byte("[provides]\nboxes = [\"A\"]\n"), 0o600))
	d, err = registry.LoadManifest(dir)
	require.NoError(t, err)
	assert.Len(t, d.Boxes, 1)

	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20+1), 0o600))
	_, err = registry.LoadManifest(dir)
	assert.EqualError(t, err, "read the manifest: "+path+": it is larger than 1 MiB; is it the right file?")

	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = registry.LoadManifest(dir)
	assert.ErrorContains(t, err, "not a regular file")
}

// table is what a library says that has a table for a box, which resolves these methods.
func table(box string, methods ...abi.Method) abi.Description {
	return abi.Description{Generation: abi.TypeBoxes, Tables: []abi.Table{{Box: box, Methods: methods}}}
}

// Which ids and declarations a box with a table gets.
func TestBind_Table(t *testing.T) {
	const declared = "[plugins.MapBox]\nlibrary = \"map\"\n"
	const small = "[provides]\nboxes = [\"MapBox\"]\n[MapBox]\ntype_id = 11\n"
	tests := []struct {
		name, toml, manifest string
		description          abi.Description
		want                 string // or an error
	}{
		{"all from the manifest", declared, small + "methods = { get = { id = 1 }, put = { id = 2 } }", table("MapBox"), "11 get=1(…) put=2(…)"},
		{"all from nyash.toml", declared + "type_id = 12\nmethods = { get = { method_id = 3 } }", "", table("MapBox"), "12 get=3(…)"},
		{"nyash.toml wins", declared + "type_id = 12\nmethods = { get = { method_id = 9, args = [] } }", small + "methods = { get = { id = 1, args = [\"key\"], returns = \"string\" }, put = { id = 2 } }", table("MapBox"), "12 get=9() → string put=2(…)"},
		{"nyash.toml wins over varargs", declared + "methods = { get = { args = [] } }", small + "methods = { get = { id = 1, args = [{ name = \"x\", type = \"varargs\" }] } }", table("MapBox"), "11 get=1()"},
		{"resolved for the manifest", declared, small + "methods = { get = {}, put = { id = 2 } }", table("MapBox", abi.Method{ID: 5, Name: "get"}), "11 get=5(…) put=2(…)"},
		{"resolved for nyash.toml", declared + "methods = { get = {} }", small, table("MapBox", abi.Method{ID: 5, Name: "get"}), "11 get=5(…)"},
		{"nyash.toml wins over what is resolved", declared + "methods = { get = { method_id = 6 } }", small + "methods = { get = {} }", table("MapBox", abi.Method{ID: 5, Name: "get"}), "11 get=6(…)"},
		{"nyash.toml has the id that nobody knows", declared + "methods = { get = { method_id = 6 } }", small + "methods = { get = {} }", table("MapBox"), "11 get=6(…)"},
		{"a method that nobody knows is hidden", declared + "methods = { get = false }", small + "methods = { get = {}, put = { id = 2 } }", table("MapBox"), "11 put=2(…)"},
		{"another name for an id", declared + "methods = { fetch = { method_id = 1 } }", small + "methods = { get = { id = 1 } }", table("MapBox"), "11 fetch=1(…) get=1(…)"},
		{"another name for the box", "[plugins.Cache]\nlibrary = \"map\"\nbox = \"MapBox\"", small + "methods = { get = { id = 1 } }", table("MapBox"), "11 get=1(…)"},
		{"the box is not in the manifest", declared + "type_id = 12", "[provides]\nboxes = [\"Other\"]", table("MapBox"), "12"},
		{"a box that is called through invoke", declared + "type_id = 12\nmethods = { get = { method_id = 1 } }\n[plugins.Other]\nlibrary = \"map\"\n", "[provides]\nboxes = [\"Other\"]",
			abi.Description{Tables: []abi.Table{{Box: "Other"}}}, "12 get=1(…)"},
		{"init is of a box that has no table", declared, small, abi.Description{TypeID: 7, TypeName: "Other", Methods: []abi.Method{{ID: 1, Name: "next"}}, Tables: []abi.Table{{Box: "MapBox"}}}, "11"},
		{"init describes the box", declared, "", abi.Description{TypeID: 7, TypeName: "MapBox", Methods: []abi.Method{{ID: 1, Name: "next"}}, Tables: []abi.Table{{Box: "MapBox"}}}, "7 next=1(…)"},
		{"init describes it without a name", declared, "", abi.Description{TypeID: 7, Methods: []abi.Method{{ID: 1, Name: "next"}}, Tables: []abi.Table{{Box: "MapBox"}}}, "7 next=1(…)"},
		{"a nameless init of another box", declared + "type_id = 12", "", abi.Description{TypeID: 7, Methods: []abi.Method{{ID: 1, Name: "next"}}, Tables: []abi.Table{{Box: "MapBox"}}}, "12"},
		{"a nameless init of another box than the manifest's", declared, small, abi.Description{TypeID: 7, Methods: []abi.Method{{ID: 1, Name: "next"}}, Tables: []abi.Table{{Box: "MapBox"}}}, "11"},
		{"resolve answers fini's id", declared + "methods = { get = {} }", small, table("MapBox", abi.Method{ID: abi.MethodFini, Name: "get"}),
			`nyash.toml:3:13: plugins.MapBox.methods.get: its method_id is not known: neither nyash.toml nor a nyash_box.toml gives one, and the library's table does not know the name; correct the name, or add method_id`},
		{"init and nyash.toml disagree", declared + "methods = { next = { method_id = 2 } }", "", abi.Description{TypeID: 7, TypeName: "MapBox", Methods: []abi.Method{{ID: 1, Name: "next"}}, Tables: []abi.Table{{Box: "MapBox", Methods: []abi.Method{{ID: 2, Name: "other"}}}}},
			`nyash.toml:3:22: plugins.MapBox.methods.next.method_id: nyash.toml says method_id 2, the library says 1; write method_id = 1 or leave it out`},
		{"init and the manifest disagree", declared, small, abi.Description{TypeID: 7, TypeName: "MapBox", Tables: []abi.Table{{Box: "MapBox"}}},
			`nyash_box.toml:4:1: MapBox.type_id: the library says type_id 11 here, and 7 in init; fix the library`},
		{"nobody knows the type", declared, "", table("MapBox"),
			`nyash.toml:1:10: plugins.MapBox: its type_id is not known: nyash.toml gives none, and the library does not describe this box; add type_id`},
		{"the manifest has another box", declared, "[provides]\nboxes = [\"MpaBox\"]\n", table("MapBox"),
			`nyash.toml:1:10: plugins.MapBox: its type_id is not known: nyash.toml gives none, and nyash_box.toml has no MapBox (did you mean MpaBox?); add type_id, or the box to nyash_box.toml`},
		{"the manifest has no type", declared, "[provides]\nboxes = [\"MapBox\"]\n\n[MapBox]\ndoc = \"m\"\n", table("MapBox"),
			`nyash_box.toml:4:2: MapBox: it has no type_id, and nyash.toml gives none; add type_id to either`},
		{"nobody knows the method", declared + "type_id = 11\nmethods = { get = {} }", "", table("MapBox"),
			`nyash.toml:4:13: plugins.MapBox.methods.get: its method_id is not known: neither nyash.toml nor a nyash_box.toml gives one, and the library's table does not know the name; correct the name, or add method_id`},
		{"a misspelt method", declared + "methods = { gte = {} }", small + "methods = { get = { id = 1 } }", table("MapBox"),
			`nyash.toml:3:13: plugins.MapBox.methods.gte: its method_id is not known: neither nyash.toml nor a nyash_box.toml gives one, and the library's table does not know the name (did you mean get?); correct the name, or add method_id`},
		{"nobody knows the manifest's method", declared, small + "methods = { get = {} }", table("MapBox"),
			`nyash_box.toml:5:13: MapBox.methods.get: its id is not known: this file gives none, and the library's table does not know the name; add id, or correct the name`},
		{"no such box", declared, small, table("Other"),
			`nyash.toml:1:10: plugins.MapBox: the library has no box MapBox: it exports neither nyash_typebox_MapBox nor nyash_plugin_invoke; correct the name; nyash inspect lists what a library has`},
		{"a table that cannot be used", declared, small, abi.Description{Generation: abi.TypeBoxes, Tables: []abi.Table{{Box: "MapBox", Err: "nyash_typebox_MapBox: its version is 2"}}},
			`nyash.toml:1:10: plugins.MapBox: nyash_typebox_MapBox: its version is 2; fix the library`},
		{"a mistake in the manifest", declared, small + "methods = { get = 1 }", table("MapBox"),
			`nyash_box.toml:5:19: MapBox.methods.get: it must be a table, and this is an integer; write get = { id = 1 }`},
		{"a mistake about another box", declared, "[provides]\nboxes = [\"MapBox\", \"Other\"]\n[MapBox]\ntype_id = 11\n[Other]\ntype_id = 11\n", table("MapBox"), "11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var own *registry.Description
			if tt.manifest != "" {
				own = manifest(t, tt.manifest)
			}
			c := parse(t, tt.toml)
			typ, err := c.Boxes[0].Bind(own, tt.description)
			if err != nil {
				assert.EqualError(t, err, tt.want)
				return
			}
			got := fmt.Sprint(typ.ID)
			for _, m := range typ.Methods {
				got += fmt.Sprintf(" %s=%d%v", m.Name, m.ID, m.Signature)
			}
			assert.Equal(t, tt.want, got)
			i := len(tt.description.Tables)
			if tt.name == "a box that is called through invoke" {
				i = 0
			}
			assert.Equal(t, i, typ.Table)
		})
	}
}

// A manifest that is not there is named where it would have helped.
func TestBind_NoManifest(t *testing.T) {
	missing := registry.NoManifest("plugins")
	text, err := registry.ParseDescription("libmap.so", "[plugins.Other]\ntype_id = 31\n")
	require.NoError(t, err)
	c := parse(t, "[plugins]\nMapBox = \"map\"\n")
	for name, own := range map[string]*registry.Description{"alone": missing, "beside a text": text.Join(missing)} {
		_, err := box(t, c, "MapBox").Bind(own, table("MapBox"))
		require.ErrorIs(t, err, registry.ErrUnknownID, name)
		assert.EqualError(t, err, "nyash.toml:2:1: plugins.MapBox: its type_id is not known: nyash.toml gives none, and there is no plugins/nyash_box.toml; "+
			"add type_id, or put the library's nyash_box.toml there", name)
	}
	_, err = box(t, c, "MapBox").Bind(missing, abi.Description{TypeID: 3, TypeName: "MapBox"})
	assert.NoError(t, err)
	l, err := registry.Undeclared("libmap.so", missing, abi.Description{TypeID: 3})
	require.NoError(t, err)
	assert.Equal(t, "Box3", l.Boxes[0].Name)
}

// A type id that takes the place of the manifest's is warned about.
func TestCheckManifest(t *testing.T) {
	own := manifest(t, "[provides]\nboxes = [\"MapBox\", \"Bare\"]\n[MapBox]\ntype_id = 11\n[Bare]\n")
	for name, tt := range map[string]struct {
		toml string
		own  *registry.Description
		want string
	}{
		"another":     {"[plugins.X]\nlibrary = \"map\"\nbox = \"MapBox\"\ntype_id = 12\n", own, "nyash.toml:4:1: plugins.X.type_id: nyash.toml says type_id 12, and nyash_box.toml says 11 (line 4); write type_id = 11 or leave it out, unless the manifest is wrong"},
		"the same":    {"[plugins.X]\nlibrary = \"map\"\nbox = \"MapBox\"\ntype_id = 11\n", own, ""},
		"none here":   {"[plugins.X]\nlibrary = \"map\"\nbox = \"MapBox\"\n", own, ""},
		"none there":  {"[plugins.X]\nlibrary = \"map\"\nbox = \"Bare\"\ntype_id = 12\n", own, ""},
		"another box": {"[plugins.X]\nlibrary = \"map\"\ntype_id = 12\n", own, ""},
		"no manifest": {"[plugins.X]\nlibrary = \"map\"\nbox = \"MapBox\"\ntype_id = 12\n", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			differences := box(t, parse(t, tt.toml), "X").CheckManifest(tt.own)
			if tt.want == "" {
				assert.Empty(t, differences)
				return
			}
			assert.EqualError(t, differences, tt.want)
		})
	}
}

func TestJoin(t *testing.T) {
	text, err := registry.ParseDescription("libmap.so", "[plugins.MapBox]\ntype_id = 30\n[plugins.Other]\ntype_id = 31\n")
	require.NoError(t, err)
	both := text.Join(publicManifest(t))
	var got []string
	for _, b := range both.Boxes {
		got = append(got, fmt.Sprint(b.Name, b.TypeID))
	}
	assert.Equal(t, []string{"MapBox30", "Other31", "SetBox0", "BareBox0"}, got)
	assert.Len(t, text.Boxes, 2, "the text is as it was")

	var none *registry.Description
	assert.Same(t, text, text.Join(nil))
	assert.Same(t, text, none.Join(text))
	assert.Nil(t, none.Join(nil))

	_, err = box(t, parse(t, "[plugins.Third]\nlibrary = \"map\""), "Third").Bind(both, abi.Description{})
	assert.ErrorContains(t, err, "the library has no box Third", "the text tells of all boxes")
}

// What is wrong in the [libraries] form costs the box that it is about.
func TestMistakes(t *testing.T) {
	tests := map[string]struct{ text, broken string }{
		"a shared type_id":      {"[libraries.x.A]\ntype_id = 1\n[libraries.x.B]\ntype_id = 1\n", "B"},
		"a string for a method": {"[libraries.x.A]\ntype_id = 1\nmethods = { get = \"get\" }\n[libraries.x.B]\ntype_id = 2\n", "A"},
		"a result":              {"[libraries.x.A]\ntype_id = 1\nmethods = { get = { method_id = 1, returns = \"Nothing\" } }\n[libraries.x.B]\ntype_id = 2\n", "A"},
		"a box that is not listed": {
			"[libraries.x]\nboxes = [\"A\"]\n[libraries.x.A]\ntype_id = 1\n[libraries.x.B]\ntype_id = 2\n", "B"},
		"a box that is not listed, with another's id": {
			"[libraries.x]\nboxes = [\"A\"]\n[libraries.x.B]\ntype_id = 1\n[libraries.x.A]\ntype_id = 1\n", "B"},
		"a key of the library": {"[libraries.x]\nboxes = [\"A\", \"B\"]\ncolour = 1\n[libraries.x.A]\ntype_id = 1\n[libraries.x.B]\ntype_id = 2\n", "A B"},
		"other settings":       {"[plugins.C]\nlibrary = \"x\"\nthreads = \"serial\"\n[libraries.x.A]\ntype_id = 1\n[libraries.x.B]\ntype_id = 2\n", "A B"},
		"two names of a method": {
			"[libraries.x.A]\ntype_id = 1\nmethods = { get = { method_id = 1 }, fetch = { method_id = 1 } }\n[libraries.x.B]\ntype_id = 2\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := parse(t, tt.text)
			require.Len(t, c.Warnings, 1)
			var broken []string
			for _, name := range []string{"A", "B"} {
				if _, err := box(t, c, name).Bind(nil, abi.Description{}); err != nil {
					broken = append(broken, name)
					assert.Equal(t, registry.Errors{c.Warnings[0]}, err)
				}
			}
			assert.Equal(t, tt.broken, strings.Join(broken, " "))
		})
	}
}

// An integer whose type is not declared travels as I32 to plugins of the later public form
// that have no table.
func TestBind_SmallIntegers(t *testing.T) {
	const later, earlier = "[libraries.map.MapBox]\ntype_id = 1\nmethods = { get = { method_id = 1 } }", "[plugins.MapBox]\nlibrary = \"map\"\ntype_id = 1\nmethods = { get = { method_id = 1 } }"
	tests := []struct {
		name, toml  string
		description abi.Description
		want        bool
	}{
		{"later form", later, abi.Description{}, true},
		{"later form, a table", later, table("MapBox"), false},
		{"later form, another box's table", later, abi.Description{Tables: []abi.Table{{Box: "SetBox"}}}, true},
		{"plugins form", earlier, abi.Description{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			typ, err := box(t, parse(t, tt.toml), "MapBox").Bind(nil, tt.description)
			require.NoError(t, err)
			assert.Equal(t, tt.want, typ.Methods[0].SmallInt32)
			assert.Equal(t, tt.want, typ.Birth.SmallInt32)
		})
	}
}

// A default that no argument can be as long as is a mistake of its box.
func TestParseManifest_LongDefault(t *testing.T) {
	for length, wrong := range map[int]bool{65_535: false, 65_536: true} {
		d := manifest(t, "[provides]\nboxes = [\"MapBox\"]\n[MapBox]\ntype_id = 1\nmethods = { set = { id = 1, args = [ { name = \"a\", type = \"string\", default = \""+strings.Repeat("x", length)+"\" } ] } }\n")
		if !wrong {
			assert.Empty(t, d.Warnings)
			continue
		}
		require.Len(t, d.Warnings, 1)
		assert.Contains(t, d.Warnings[0].Error(), "it has 65536 bytes, and an argument has at most 65535; write a shorter one")
	}
}

func FuzzManifest(f *testing.F) {
	for _, file := range []string{"testdata/nyash_box.toml", "testdata/manifests.toml"} {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		for chunk := range strings.SplitSeq(string(data), "\n### ") {
			f.Add(chunk)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := registry.ParseManifest("nyash_box.toml", []byte(text))
		if err != nil {
			var errs registry.Errors
			require.ErrorAs(t, err, &errs)
			require.NotEmpty(t, errs)
			fit(t, fmt.Sprintf("%v%+v", err, err))
			return
		}
		fit(t, fmt.Sprintf("%+v", d.Warnings))
		for _, b := range d.Boxes {
			c := parse(t, "[plugins.X]\nlibrary = \"x\"\ntype_id = 1")
			x := box(t, c, "X")
			x.LibraryName = b.Name
			typ, err := x.Bind(d, table(b.Name))
			if err != nil {
				fit(t, fmt.Sprintf("%+v", err))
				continue
			}
			fit(t, typ.Doc+typ.String())
			for _, m := range typ.Methods {
				require.LessOrEqual(t, m.Required(), len(m.Args))
				fit(t, m.Doc)
			}
		}
	})
}

// A mistake about where the library is concerns only who looks there.
func TestFind_WrongArtifact(t *testing.T) {
	dir := t.TempDir()
	library := filepath.Join(dir, "libmap.so")
	require.NoError(t, os.WriteFile(library, []byte("x"), 0o600))
	c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), []byte("[plugins]\nA = \"./nyash_box.toml\"\nB = \"./libmap.so\"\n"))
	require.NoError(t, err)
	for artifacts, want := range map[string]string{
		"[artifacts]\nlinux = 5\nmacos = 5\nwindows = 5\n":                               "it must be a string, and this is an integer",
		"artifacts = \"libmap.so\"\n":                                                    "artifacts: it must be a table, and this is a string",
		"[artifacts]\nlinux = \"a\\n\"\nmacos = \"a\\n\"\nwindows = \"a\\n\"\n":          "has the control character U+000A at byte 1",
		"[artifacts]\nlinux = \"libmap.so\"\nmacos = \"libmap.so\"\nlinux_arm64 = \"x\"": "",
	} {
		if strings.HasPrefix(artifacts, "[") {
			artifacts = "provides = { boxes = [\"A\"] }\n" + artifacts
		} else {
			artifacts += "provides = { boxes = [\"A\"] }\n"
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, registry.ManifestName), []byte(artifacts), 0o600))
		found, err := c.Find(box(t, c, "A").Library)
		if want == "" {
			require.NoError(t, err)
			assert.Equal(t, library, found)
		} else {
			require.ErrorContains(t, err, want)
		}
		found, err = c.Find(box(t, c, "B").Library)
		require.NoError(t, err)
		assert.Equal(t, library, found)
		m, err := registry.LoadManifest(dir)
		require.NoError(t, err, "its boxes are good")
		assert.Len(t, m.Boxes, 1)
		assert.NotEmpty(t, m.Warnings)
	}
}
