package registry_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// maxText is how large the texts of libraries are that are read, in bytes.
const maxText = 1 << 20

// fill repeats parts, which have their number in the place of a %x, up to the largest text.
func fill(head, part, tail string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; b.Len() < maxText-len(tail)-2*len(part)-16; i++ {
		b.WriteString(strings.ReplaceAll(part, "%x", fmt.Sprintf("%x", i)))
	}
	b.WriteString(tail)
	return b.String()
}

// allocated is how much memory f takes from the Go heap, in bytes. What it gives back counts
// too: work that grows faster than the text shows in it.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// hostileTexts are texts of 1 MiB whose reading would take time or memory without a bound.
func hostileTexts() map[string]string {
	long := strings.Repeat("é", 500)
	longer := strings.Repeat("é", 250_000)
	names := fill("", `"%x",`, "")
	many := func(format string, count int) string {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	return map[string]string{
		"mistakes on one line":              fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\ntype_id=62\nmethods={", "xxxxxxxxxxxx%x=1,", "z={}}"),
		"mistakes, a control character":     fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\ntype_id=62\ndoc=\"\"\"\t\"\"\"\nmethods={", "xxxxxxxxxxxx%x=1,", "z={}, \"\\u001b\"={}} #\t"),
		"unknown keys on one line":          fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\ntype_id=62\nmethods={ get={", "x%x=1,", "id=1}}"),
		"described: mistakes on one line":   fill("[plugins.MapBox]\ntype_id=62\nmethods={", "xxxxxxxxxxxx%x=1,", "z={}}"),
		"described: unknown keys, one line": fill("plugins={MapBox={type_id=62,", "x%x=1,", "z=1}}"),
		"described: below a long name":      fill("[plugins.MapBox]\ntype_id=62\n[plugins.MapBox.methods.\""+longer+"\"]\n", "x%x=1\n", ""),
		"described: below long names":       fill("[plugins.\""+long+"\"]\ntype_id=62\n[plugins.\""+long+"\".methods.\""+long+"\"]\n", "x%x=1\n", ""),
		"described: uses":                   fill("[plugins.A]\nuses=[", `"B",`, "]"),
		"described: uses of nothing":        fill("[plugins.A]\nuses=[", `"",`, "]"),
		"described: deep requests":          fill("[plugins]\n", "A%x.events."+strings.Repeat("a.", 4_900)+"a="+strings.Repeat("{a=", 4_900)+"1"+strings.Repeat("}", 4_900)+"\n", ""),
		"described: results of unknown boxes": "[plugins.MapBox]\nmethods={" + many(strings.Repeat("x", 600)+"%03[1]x = { method_id = %[1]d, returns = \""+strings.Repeat("y", 600)+"\" },", 500) + "}\n" +
			many("[plugins."+strings.Repeat("y", 590)+"%03x]\n", 600),
		"a long name":               fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\ntype_id=62\n[MapBox.methods.\""+longer+"\"]\n", "x%x=1\n", ""),
		"long keys beyond the path": fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox."+strings.TrimSuffix(strings.Repeat("\""+long+"\".", 400), ".")+"]\n", "x=1\n", ""),
		"keys twice":                fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\n", "x=1\n", ""),
		"too many methods":          fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\n[MapBox.methods]\n", "%x={}\n", ""),
		"one id for all":            fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\n[MapBox.methods]\n", strings.Repeat("m", 12)+"%x.id=1\n", ""),
		"boxes":                     "[provides]\nboxes=[" + names[:maxText-100] + "\"]\n",
		"tables that are ignored":   fill("[provides]\nboxes=[\"MapBox\"]\n", "[a%x]\n", ""),
		"boxes with mistakes":       "[provides]\nboxes=[" + many(`"b%x",`, contract.MaxBoxes) + "]\n" + many("[b%x]\nid.x=1\nmethods={"+strings.Repeat("x", 200)+"=1}\n", contract.MaxBoxes),
		"arguments":                 fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\nmethods={ get={ args=[", `1,`, "]}}"),
		"arguments behind another":  fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\nmethods={ get={ args=[{name=\""+longer+"\",optional=true},", `"%x",`, "]}}"),
		"nested tables":             fill("[provides]\nboxes=[\"MapBox\"]\n", "%x="+strings.Repeat("{a=", 9_000)+"1"+strings.Repeat("}", 9_000)+"\n", ""),
		"keys of many parts":        fill("[provides]\nboxes=[\"MapBox\"]\n[MapBox]\n", "a.", "a=1"),
		"headers of many parts":     fill("[provides]\nboxes=[\"MapBox\"]\n[", "a.", "a]"),
		"headers of many parts, again": fill("[provides]\nboxes=[\"MapBox\"]\n["+strings.Repeat("a.", 9_000)+"a]\n",
			"["+strings.Repeat("a.", 9_000)+"a]\n", ""),
	}
}

// A library's text costs its host no more than a text of that length needs, whatever is
// wrong with it.
func TestHostileTexts(t *testing.T) {
	const most = 200 * maxText
	for name, text := range hostileTexts() {
		require.LessOrEqual(t, len(text), maxText, name)
		t.Run(name, func(t *testing.T) {
			var d *registry.Description
			var err error
			var shown string
			used := allocated(func() {
				if strings.HasPrefix(text, "[provides]") {
					d, err = registry.ParseManifest("nyash_box.toml", []byte(text))
				} else {
					d, err = registry.ParseDescription("libmap.so", text)
				}
				if err != nil {
					shown = fmt.Sprintf("%+v", err)
				} else {
					shown = fmt.Sprintf("%+v", d.Warnings)
				}
			})
			t.Logf("%d MiB, %d bytes shown", used>>20, len(shown))
			assert.Less(t, used, uint64(most))
			assert.Less(t, len(shown), 100<<10)
			fit(t, shown)
			if err != nil {
				var errs registry.Errors
				require.ErrorAs(t, err, &errs)
				assert.LessOrEqual(t, len(errs), 20)
				return
			}
			assert.LessOrEqual(t, len(d.Warnings), 21)
			mistakes := 0
			for _, b := range d.Boxes {
				mistakes += len(b.Mistakes)
				_ = b.Unresolved(d)
			}
			assert.LessOrEqual(t, mistakes, len(d.Boxes)+20)
		})
	}
}

func TestManyMistakes(t *testing.T) {
	text := "[plugins.MapBox]\nmethods = {get = 1, a = 1, b = 1, c = 1, d = 1, e = 1, f = 1, g = 1, h = 1, i = 1, j = 1, k = 1, l = 1, m = 1, n = 1, o = 1, p = 1, q = 1, r = 1, s = 1, t = 1, u = 1 }\n"
	_, err := registry.ParseDescription("libmap.so", text)
	var errs registry.Errors
	require.ErrorAs(t, err, &errs)
	require.Len(t, errs, 20)
	assert.EqualError(t, errs[0], "libmap.so (self-description):2:18: plugins.MapBox.methods.get: it must be a table, and this is an integer; write get = { method_id = 1 }")
	assert.EqualError(t, errs[19], "libmap.so (self-description):2:151: there are more mistakes: the reading ended here")
}

// Each box of a manifest has its own mistake, however many others have some.
func TestManyBrokenBoxes(t *testing.T) {
	var boxes, tables strings.Builder
	for i := range 100 {
		fmt.Fprintf(&boxes, "\"Box%d\",", i)
		fmt.Fprintf(&tables, "[Box%d]\ntype_id = \"%d\"\nid = 1\n", i, i)
	}
	d := manifest(t, "[provides]\nboxes = ["+boxes.String()+"]\n"+tables.String())
	require.Len(t, d.Warnings, 21)
	assert.ErrorContains(t, d.Warnings[20], "more warnings")
	for i, b := range d.Boxes {
		require.NotEmpty(t, b.Mistakes)
		assert.ErrorContains(t, b.Mistakes[0], fmt.Sprintf("nyash_box.toml:%d:11: Box%d.type_id: it must be an integer", 4+3*i, i))
	}
}

func TestTooManyMethods(t *testing.T) {
	var methods strings.Builder
	for i := range contract.MaxMethods + 1 {
		fmt.Fprintf(&methods, "m%x = {}\n", i)
	}
	d := manifest(t, "[provides]\nboxes = [\"MapBox\", \"SetBox\"]\n[MapBox]\ntype_id = 1\n[SetBox]\ntype_id = 2\n[MapBox.methods]\n"+methods.String())
	c := parse(t, "[libraries.map]\nboxes = [\"MapBox\", \"SetBox\"]\n")
	_, err := box(t, c, "MapBox").Bind(d, table("MapBox"))
	assert.EqualError(t, err, "nyash_box.toml:7:9: MapBox.methods: it has 65537 methods, and at most 65536 are read; leave out those that nobody uses")
	_, err = box(t, c, "SetBox").Bind(d, table("SetBox"))
	assert.NoError(t, err)
}

// What an error keeps of its line, and where the caret is.
func TestErrorExcerpt(t *testing.T) {
	const line = "get = { method_id = 1, "
	far := strings.Repeat("x", 500)
	spaces := func(count int) string { return "\n    | " + strings.Repeat(" ", count) + "^" }
	tests := map[string]struct{ before, after, want string }{
		"short":        {"", "", "  3 | " + line + "wrong = 1 }" + spaces(23)},
		"behind much":  {`doc = "` + far + `", `, "", "  3 | …" + far[:77] + `", wrong = 1 }` + spaces(81)},
		"before much":  {"", ` # ` + far, "  3 | " + line + "wrong = 1 } # " + far[:66] + "…" + spaces(23)},
		"a tab":        {"\t", "", "  3 | " + line + "\twrong = 1 }" + "\n    | " + strings.Repeat(" ", 23) + "\t^"},
		"long letters": {`doc = "日本日本", `, "", "  3 | " + line + `doc = "日本日本", wrong = 1 }` + spaces(37)},
		"cut letters": {`doc = "` + strings.Repeat("日", 100) + `", `, " # " + strings.Repeat("語", 100),
			"  3 | …" + strings.Repeat("日", 25) + `", wrong = 1 } # ` + strings.Repeat("語", 22) + "…" + spaces(29)},
		"backwards": {"doc = \"\u202e\", ", "", "  3 | " + line + `doc = "?", wrong = 1 }` + spaces(34)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := registry.Parse("nyash.toml", []byte("[plugins.MapBox.methods]\n\n"+line+tt.before+"wrong = 1 }"+tt.after+"\n"))
			var errs registry.Errors
			require.ErrorAs(t, err, &errs)
			assert.Contains(t, fmt.Sprintf("%+v", errs[len(errs)-1]), tt.want+"\n")
		})
	}
}

func TestCheckSignatures_Many(t *testing.T) {
	var text strings.Builder
	init := abi.Description{TypeName: "MapBox"}
	text.WriteString("[plugins.MapBox.methods]\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "m%d = { method_id = %d }\n", i, i+1)
		init.Methods = append(init.Methods, abi.Method{ID: uint32(i + 1), Name: fmt.Sprintf("m%d", i), Signature: 1})
	}
	d, err := registry.ParseDescription("libmap.so", text.String())
	require.NoError(t, err)
	differences := d.CheckSignatures(init)
	require.Len(t, differences, 21)
	assert.ErrorContains(t, differences[20], "there are 980 more warnings")
}
