package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

const kvText = `
[plugins.KeyValue]
type_id = 30
singleton = true
threads = "serial"
doc = """
Keeps values.
\u001b[31mred"""
uses = ["ConsoleBox", "CounterBox.get"]
[plugins.KeyValue.events]
"file.*" = "onFile"
[plugins.KeyValue.methods]
birth = { args = ["size"] }
get = { method_id = 1, args = ["key"], returns = "string" }
copy = { method_id = 2, args = [], returns = "KeyValue" }
[plugins.Cursor]
type_id = 31
`

func TestParseDescription(t *testing.T) {
	d, err := registry.ParseDescription("libkv.so", kvText)
	require.NoError(t, err)
	assert.Empty(t, d.Warnings)
	assert.Equal(t, []registry.Request{
		{Box: "KeyValue", Key: "uses", TOML: `["ConsoleBox", "CounterBox.get"]`},
		{Box: "KeyValue", Key: "events", TOML: `{ "file.*" = "onFile" }`},
	}, d.Requests)
	assert.True(t, d.HasThreads)
	assert.Equal(t, registry.ThreadsSerial, d.Threads)
	kv, ok := d.Box("KeyValue")
	require.True(t, ok)
	assert.Equal(t, "Keeps values.\n\\x1b[31mred", kv.Doc, "nothing of it reaches a terminal raw")
	assert.Equal(t, "libkv.so (self-description):14:1", kv.Methods[0].Pos.String())
}

// Which declarations a box of nyash.toml gets of its library's.
func TestBind_Description(t *testing.T) {
	tests := []struct {
		name, toml, box string
		init            abi.Description
		want            string
	}{
		{"the short form", `[plugins]
KeyValue = "kv"`, "KeyValue", abi.Description{}, "30 singleton birth(size) get=1(key) → string copy=2() → KeyValue"},
		{"another name", `[plugins.Cache]
library = "kv"
box = "KeyValue"
singleton = false`, "Cache", abi.Description{}, "30 birth(size) get=1(key) → string copy=2() → Cache"},
		{"arguments and results replaced", `[plugins.KeyValue]
library = "kv"
[plugins.KeyValue.methods]
birth = { args = [] }
get = { args = [] }
copy = { returns = "void" }`, "KeyValue", abi.Description{}, "30 singleton birth() get=1() → string copy=2() → void"},
		{"init knows more", `[plugins]
KeyValue = "kv"`, "KeyValue", abi.Description{TypeID: 30, TypeName: "KeyValue", Methods: []abi.Method{{ID: 1, Name: "get"}, {ID: 9, Name: "more"}}},
			"30 singleton birth(size) get=1(key) → string copy=2() → KeyValue more=9(…)"},
		{"init is of another box", `[plugins.KeyValue]
library = "kv"
[plugins.Cursor]
library = "kv"`, "KeyValue", abi.Description{TypeID: 31, TypeName: "Cursor", Methods: []abi.Method{{ID: 1, Name: "next"}}},
			"30 singleton birth(size) get=1(key) → string copy=2() → KeyValue"},
		{"only init knows the box", `[plugins.Third]
library = "kv"`, "Third", abi.Description{TypeID: 32, TypeName: "Third", Methods: []abi.Method{{ID: 1, Name: "next"}}}, "32 birth(…) next=1(…)"},
		{"a box that nyash.toml leaves out", `[plugins.Cursor]
library = "kv"`, "Cursor", abi.Description{TypeID: 30, TypeName: "KeyValue", Methods: []abi.Method{{ID: 1, Name: "get"}}}, "31 birth(…)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := registry.ParseDescription("libkv.so", kvText)
			require.NoError(t, err)
			typ, err := box(t, parse(t, tt.toml), tt.box).Bind(d, tt.init)
			require.NoError(t, err)
			got := fmt.Sprint(typ.ID)
			if typ.Singleton {
				got += " singleton"
			}
			got += " birth" + typ.Birth.String()
			for _, m := range typ.Methods {
				got += fmt.Sprintf(" %s=%d%v", m.Name, m.ID, m.Signature)
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// TestBind_Leaf: what the library promises of its methods, and what nyash.toml makes of it.
func TestBind_Leaf(t *testing.T) {
	const leaf = "[plugins.A]\ntype_id = 1\n[plugins.A.methods]\nm = { method_id = 1, leaf = true }\nn = { method_id = 2 }\n"
	tests := []struct {
		name, text, toml string
		want             []string
		err              string
	}{
		{"the library's", leaf, "", []string{"m"}, ""},
		{"taken back", leaf, "[plugins.A.methods]\nm = { leaf = false }", nil, ""},
		{"nyash.toml's", leaf, "[plugins.A.methods]\nn = { leaf = true }", []string{"n", "m"}, ""},
		{"with other keys", leaf, "[plugins.A.methods]\nm = { doc = \"M.\" }", []string{"m"}, ""},
		{"pinned by nyash.toml", leaf, "threads = \"pinned\"", nil, "the library has leaf methods (m): a leaf method is called on the thread of its caller"},
		{"pinned, and taken back", leaf, "threads = \"pinned\"\n[plugins.A.methods]\nm = { leaf = false }", nil, ""},
		{"pinned by the library", "[plugins.A]\ntype_id = 1\nthreads = \"pinned\"\nmethods = { m = { method_id = 1 } }", "[plugins.A.methods]\nm = { leaf = true }", nil,
			"plugins.A.methods.m: with the library's own words together: a leaf method is called on the thread of its caller"},
		{"pinned by the library, set free", "[plugins.A]\ntype_id = 1\nthreads = \"pinned\"\nmethods = { m = { method_id = 1 } }", "threads = \"free\"\n[plugins.A.methods]\nm = { leaf = true }", []string{"m"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := registry.ParseDescription("liba.so", tt.text)
			require.NoError(t, err)
			typ, err := box(t, parse(t, "[plugins.A]\nlibrary = \"a\"\n"+tt.toml), "A").Bind(d, abi.Description{})
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			var leaves []string
			for _, m := range typ.Methods {
				if m.Leaf {
					leaves = append(leaves, m.Name)
				}
			}
			assert.Equal(t, tt.want, leaves)
		})
	}
	_, err := registry.ParseDescription("liba.so", "[plugins.A]\nthreads = \"pinned\"\nmethods = { m = { method_id = 1, leaf = true } }")
	assert.ErrorContains(t, err, "a leaf method is called on the thread of its caller")
}

func TestParseDescription_ManyWarnings(t *testing.T) {
	text := "[plugins.A]\ntype_id = 1\n"
	var keys strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&keys, "k%d=1\n", i)
	}
	text += keys.String()
	d, err := registry.ParseDescription("liba.so", text)
	require.NoError(t, err)
	require.Len(t, d.Warnings, 21)
	assert.ErrorContains(t, d.Warnings[20], "there are 49980 more warnings")
}

func FuzzDescription(f *testing.F) {
	f.Add(kvText)
	f.Add("[plugins.A]\nmethods = { a = { method_id = 1, args = [{ name = \"x\", to = \"json\" }] } }")
	f.Add("[plugins.A]\nuses = [\"B\", \"B.get\", \"C.\u0007\", \"E.publish:x\"]\nmethods = { get = { method_id = 1 } }")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := registry.ParseDescription("libx.so", text)
		if err != nil {
			fit(t, fmt.Sprintf("%v%+v", err, err))
			return
		}
		fit(t, fmt.Sprintf("%+v", d.Warnings))
		fit(t, fmt.Sprint(d.Uses))
		for _, b := range d.Boxes {
			fit(t, b.Name+b.Doc)
			for _, m := range b.Methods {
				fit(t, m.Name+m.Doc+m.Signature.String())
			}
			c := parse(t, "[plugins.X]\nlibrary = \"x\"\nbox = \"Y\"")
			x := box(t, c, "X")
			x.LibraryName = b.Name
			if typ, err := x.Bind(d, abi.Description{}); err == nil {
				assert.Equal(t, "X", typ.Name)
			} else {
				fit(t, fmt.Sprintf("%+v", err))
			}
		}
	})
}

// fit checks that text has nothing that a terminal would obey.
func fit(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			t.Fatalf("%q has %U", text, r)
		}
	}
}

// A request is written so that nyash.toml takes it, whatever is in it.
func TestDescription_RequestsAreTOML(t *testing.T) {
	text := `plugins.A.events = { "a\u001b\u0007\"" = "on\\\u202e\n\t\u000bé" }`
	d, err := registry.ParseDescription("liba.so", text)
	require.NoError(t, err)
	assert.Equal(t, `{ "a\U0000001B\U00000007\"" = "on\\\U0000202E\n\t\U0000000Bé" }`, d.Requests[0].TOML)
	again, err := registry.ParseDescription("liba.so", "plugins.A.events = "+d.Requests[0].TOML)
	require.NoError(t, err)
	assert.Equal(t, d.Requests, again.Requests)
}
