package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

// written are uses with their places.
func written(all []registry.Use) string {
	var parts []string
	for _, u := range all {
		parts = append(parts, fmt.Sprintf("%v@%d:%d", u, u.Pos.Line, u.Pos.Column))
	}
	return strings.Join(parts, " ")
}

func TestUses(t *testing.T) {
	c := parse(t, `[plugins.A]
library = "x"
uses = ["ConsoleBox", "CounterBox.get",
  "Other Box.say \"hi\"", "CounterBox.get"]
[plugins.B]
library = "x"
[plugins.C]
library = "y"
uses = []
[libraries."libz.so"]
boxes = ["D"]
uses = ["A.birth"]
`)
	require.Len(t, c.Libraries, 3)
	uses := c.Libraries[0].Uses
	assert.Equal(t, `ConsoleBox@3:9 CounterBox.get@3:23 Other Box.say "hi"@4:3`, written(uses))
	assert.Equal(t, registry.Use{Box: "CounterBox", Method: "get", Pos: registry.Position{File: "nyash.toml", Line: 3, Column: 23}}, uses[1])
	assert.Empty(t, c.Libraries[1].Uses)
	assert.Equal(t, "A.birth@12:9", written(c.Libraries[2].Uses))
	require.Len(t, c.Warnings, 1)
}

func TestUse_Covers(t *testing.T) {
	box, get := registry.Use{Box: "A"}, registry.Use{Box: "A", Method: "get"}
	for _, tt := range []struct {
		use, other registry.Use
		want       bool
	}{
		{box, box, true}, {box, get, true}, {get, get, true}, {get, box, false},
		{get, registry.Use{Box: "A", Method: "put"}, false}, {box, registry.Use{Box: "B"}, false}, {get, registry.Use{Box: "B", Method: "get"}, false},
	} {
		assert.Equal(t, tt.want, tt.use.Covers(tt.other), "%v, %v", tt.use, tt.other)
	}
}

func TestCheckUses(t *testing.T) {
	others := map[string][]string{"ConsoleBox": {"print", "println"}, "AppBox": nil, "EmptyBox": {}, "File": {"other"}}
	tests := map[string]struct{ uses, want string }{
		"boxes from elsewhere":                          {`"ConsoleBox", "AppBox", "EmptyBox"`, ""},
		"methods of them":                               {`"ConsoleBox.print", "ConsoleBox.birth", "ConsoleBox.fini"`, ""},
		"boxes of the file":                             {`"File", "Self", "Lib.any"`, ""},
		"a method that only a library knows":            {`"File.what"`, ""},
		"a box that nobody has":                         {`"ConsolBox"`, `nyash.toml:3:9: plugins.Self.uses: there is no box ConsolBox (did you mean ConsoleBox?); declare it in this file, have the program provide it, or leave it out`},
		"a method of one":                               {`"AppBox", "Fil.read"`, `nyash.toml:3:19: plugins.Self.uses: there is no box Fil (did you mean File?); declare`},
		"nothing near":                                  {`"EventBox.publish"`, `nyash.toml:3:9: plugins.Self.uses: there is no box EventBox; declare`},
		"a method that is not there":                    {`"ConsoleBox.prnt"`, `nyash.toml:3:9: plugins.Self.uses: ConsoleBox has no method prnt (did you mean print?); it has print, println`},
		"a method of a box whose methods are not known": {`"AppBox.x"`, ""},
		"a method of a box without any":                 {`"EmptyBox.x"`, `nyash.toml:3:9: plugins.Self.uses: EmptyBox has no method x; name the whole box, or leave it out`},
		"a hidden method":                               {`"File.write"`, `nyash.toml:3:9: plugins.Self.uses: File hides the method write (line 7); leave one of the two out`},
		"a box with a dot":                              {`"Dotted.Box"`, `nyash.toml:3:9: plugins.Self.uses: a name with a dot is read as a box and a method; give the box Dotted.Box another name`},
		"the replaced box's methods":                    {`"File.other"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := parse(t, "[plugins.Self]\nlibrary = \"self\"\nuses = ["+tt.uses+`]
[plugins.File]
library = "file"
[plugins.File.methods]
write = false
[plugins."Dotted.Box"]
library = "dotted"
[libraries."liblib.so"]
boxes = ["Lib"]
`)
			errs := c.CheckUses(others)
			if tt.want == "" {
				assert.Empty(t, errs)
				return
			}
			require.Len(t, errs, 1)
			assert.True(t, strings.HasPrefix(errs[0].Error(), tt.want), "want %s\ngot  %v", tt.want, errs[0])
			assert.Contains(t, fmt.Sprintf("%+v", errs), "  3 | uses = ["+tt.uses)
		})
	}
}

func TestCheckUses_All(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "[plugins.Box%d]\nlibrary = \"x%d\"\nuses = [\"No%d\"]\n", i, i, i)
	}
	errs := parse(t, text.String()).CheckUses(nil)
	require.Len(t, errs, 100)
	assert.Equal(t, 3, errs[0].Line)
	assert.Equal(t, 300, errs[99].Line)
}

// What a library asks for in its text counts for nothing, and what of it nyash.toml lacks
// is known.
func TestType_Asks(t *testing.T) {
	own, err := registry.ParseDescription("liba.so", `
[plugins.A]
type_id = 1
uses = ["ConsoleBox", "CounterBox.get", "TimeBox.now"]
[plugins.B]
type_id = 2
uses = ["TimeBox.now", "FileBox"]
[plugins.C]
type_id = 3
uses = ["ConsoleBox.print"]
`)
	require.NoError(t, err)
	assert.Empty(t, own.Warnings)
	assert.Equal(t, "ConsoleBox@4:9 CounterBox.get@4:23 TimeBox.now@4:41 FileBox@7:24", written(own.Uses))
	for uses, want := range map[string]string{
		``: "ConsoleBox CounterBox.get TimeBox.now FileBox",
		`uses = ["ConsoleBox.print", "CounterBox", "FileBox.read"]`:         "ConsoleBox TimeBox.now FileBox",
		`uses = ["TimeBox.now", "ConsoleBox", "CounterBox.get", "FileBox"]`: "",
	} {
		c := parse(t, "[plugins.A]\nlibrary = \"a\"\n"+uses+"\n[plugins.B]\nlibrary = \"a\"\n")
		typ, err := box(t, c, "B").Bind(own, abi.Description{})
		require.NoError(t, err)
		var got []string
		for _, u := range typ.Asks() {
			got = append(got, u.String())
		}
		assert.Equal(t, want, strings.Join(got, " "))
		if uses == "" {
			assert.Empty(t, c.Libraries[0].Uses, "a request grants nothing")
		}
	}
	typ, err := box(t, parse(t, "[plugins.A]\nlibrary = \"a\"\ntype_id = 1"), "A").Bind(nil, abi.Description{})
	require.NoError(t, err)
	assert.Empty(t, typ.Asks())
}

func TestParseDescription_Uses(t *testing.T) {
	tests := map[string]struct{ uses, errs, warnings string }{
		"not a list":     {`5`, "liba.so (self-description):2:8: plugins.A.uses: it must be an array, and this is an integer", ""},
		"malformed":      {`["A.", "B"]`, `liba.so (self-description):2:9: plugins.A.uses: "A." is neither a box nor a method of one`, ""},
		"control":        {`["A.\u001bx"]`, `liba.so (self-description):2:1: plugins.A.uses: its name: "\x1bx" has the control character U+001B at byte 0`, ""},
		"twice":          {`["B", "B"]`, "", `liba.so (self-description):2:14: plugins.A.uses: "B" is listed already`},
		"a newer author": {`["EventBox.publish:x", "B"]`, "", `liba.so (self-description):2:9: plugins.A.uses: "EventBox.publish:x" is not supported yet; this host does without it`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := registry.ParseDescription("liba.so", "[plugins.A]\nuses = "+tt.uses)
			if tt.errs != "" {
				require.ErrorContains(t, err, tt.errs)
				return
			}
			require.NoError(t, err)
			require.Len(t, d.Warnings, 1)
			require.ErrorContains(t, d.Warnings[0], tt.warnings)
			require.Len(t, d.Uses, 1)
			assert.Equal(t, "B", d.Uses[0].String())
			require.Len(t, d.Requests, 1, "what is written can be shown")
		})
	}
}

// A text cannot make a host read long lines again and again.
func TestParseDescription_ManyUses(t *testing.T) {
	d, err := registry.ParseDescription("liba.so", "[plugins.A]\nuses = ["+strings.Repeat(`"B",`, 200_000)+"]")
	require.NoError(t, err)
	assert.Len(t, d.Uses, 1)
	require.Len(t, d.Warnings, 21)
	assert.ErrorContains(t, d.Warnings[20], "there are 199979 more warnings")
	var names strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&names, `"B.m%d",`, i)
	}
	d, err = registry.ParseDescription("liba.so", "[plugins.A]\nuses = [\"B\", "+names.String()+"]")
	require.NoError(t, err)
	assert.Equal(t, "B@2:9", written(d.Uses), "it covers the others")
	assert.Len(t, d.Warnings, 21)
}

func TestLoadOrder(t *testing.T) {
	tests := map[string]struct{ text, order, dependencies string }{
		"nothing used":                   {"A B C", "A B C", "A: B: C:"},
		"in the file's order":            {"A B:A C:B", "A B<A C<B", "A: B:A C:B"},
		"a chain":                        {"A:B B:C C", "C B<C A<B", "A:B B:C C:"},
		"a diamond":                      {"A:B,C B:D C:D D", "D B<D C<D A<B,C", "A:B,C B:D C:D D:"},
		"itself":                         {"A:A B", "A B", "A: B:"},
		"what comes from elsewhere":      {"A:ConsoleBox,B B:TimeBox", "B A<B", "A:B B:"},
		"two of each other":              {"A:B B:A", "A B<A", "A:B B:A"},
		"a circle of three":              {"B:C C:A A:B", "B C<B A<C", "B:C C:A A:B"},
		"a circle that uses and is used": {"U:A A:B,X B:A,Y X Y", "Y X A<X B<A,Y U<A", "U:A A:B,X B:A,Y X: Y:"},
		"two circles":                    {"A:B B:A,C C:D D:C", "C D<C A B<A,C", "A:B B:A,C C:D D:C"},
		"circles that share a library":   {"A:B,C B:A C:A", "A B<A C<B", "A:B,C B:A C:A"},
		"a box twice":                    {"A:B.get,B.put B", "B A<B", "A:B B:"},
		"a shortcut":                     {"A:C,B B:C C", "C B<C A<C,B", "A:C,B B:C C:"},
		"a circle reached last":          {"D:A A:B B:C C:A E:D", "A B<A C<B D<A E<D", "D:A A:B B:C C:A E:D"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := parse(t, usesTOML(tt.text))
			assert.Equal(t, tt.order, showOrder(c))
			var dependencies []string
			for _, l := range c.Libraries {
				dependencies = append(dependencies, l.Name+":"+libraryNames(c.Dependencies(l)))
			}
			assert.Equal(t, tt.dependencies, strings.Join(dependencies, " "))
		})
	}
}

// usesTOML writes a library for each word, box:uses.
func usesTOML(text string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(text) {
		name, list, _ := strings.Cut(word, ":")
		fmt.Fprintf(&b, "[plugins.%s]\nlibrary = %q\n", name, name)
		if list != "" {
			fmt.Fprintf(&b, "uses = [\"%s\"]\n", strings.ReplaceAll(list, ",", `", "`))
		}
	}
	return b.String()
}

func libraryNames(all []*registry.Library) string {
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
	}
	return strings.Join(names, ",")
}

func showOrder(c *registry.Config) string {
	var steps []string
	for _, s := range c.LoadOrder() {
		step := s.Library.Name
		if len(s.After) > 0 {
			step += "<" + libraryNames(s.After)
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, " ")
}

// Boxes of one library are one, and an entry of [libraries] is a library by itself.
func TestLoadOrder_Libraries(t *testing.T) {
	c := parse(t, `[plugins.A]
library = "x"
uses = ["B", "D", "C"]
[plugins.B]
library = "x"
[plugins.C]
library = "y"
[libraries."libz.so"]
boxes = ["D", "E"]
uses = ["C", "E"]
`)
	assert.Equal(t, "y libz.so<y x<libz.so,y", showOrder(c))
}

// checkOrder checks what holds of every order.
func checkOrder(t *testing.T, c *registry.Config) {
	t.Helper()
	at := make(map[*registry.Library]int)
	for i, s := range c.LoadOrder() {
		assert.NotContains(t, at, s.Library)
		for _, before := range s.After {
			assert.Contains(t, at, before, "an earlier step")
		}
		at[s.Library] = i
	}
	require.Len(t, at, len(c.Libraries))
	reaches := func(from, to *registry.Library) bool {
		seen, next := map[*registry.Library]bool{}, []*registry.Library{from}
		for len(next) > 0 {
			l := next[0]
			next = next[1:]
			if l == to {
				return true
			}
			if !seen[l] {
				seen[l] = true
				next = append(next, c.Dependencies(l)...)
			}
		}
		return false
	}
	for i, l := range c.Libraries {
		for _, used := range c.Dependencies(l) {
			if !reaches(used, l) {
				assert.Less(t, at[used], at[l], "%s uses %s", l.Name, used.Name)
			} else if k := slices.Index(c.Libraries, used); k != i {
				assert.Equal(t, k < i, at[used] < at[l], "%s and %s use each other", l.Name, used.Name)
			}
		}
	}
}

func FuzzLoadOrder(f *testing.F) {
	f.Add([]byte{0x01, 0x12, 0x20})
	f.Add([]byte{0x01, 0x02, 0x13, 0x23, 0x31, 0x45, 0x54, 0x40})
	f.Fuzz(func(t *testing.T, edges []byte) {
		if len(edges) > 64 {
			return
		}
		var uses [8][]string
		for _, e := range edges {
			from, to := e>>4&7, string('A'+rune(e&7))
			if !slices.Contains(uses[from], to) {
				uses[from] = append(uses[from], to)
			}
		}
		var words []string
		for i, list := range uses {
			words = append(words, string('A'+rune(i))+":"+strings.Join(list, ","))
		}
		checkOrder(t, parse(t, usesTOML(strings.Join(words, " "))))
	})
}
