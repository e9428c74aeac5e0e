package registry

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// builder makes a tree of the parser's expressions. The parser knows TOML's
// syntax; what a document may say twice, and which numbers and dates there are,
// is for the builder to know.
type builder struct {
	doc    *document
	parser unstable.Parser
	root   *table
	here   *table // of the last header
	inside *key

	keys   slab[key]
	tables slab[table]
}

// slab allocates many at a time, because they all live as long: a file of 1,000
// boxes has 20,000 keys and tables, and is read in 10.5 ms with it and 11.4
// without (BenchmarkParse1000Boxes).
type slab[T any] struct{ free []T }

func (s *slab[T]) next() *T {
	const many = 128
	if len(s.free) == 0 {
		s.free = make([]T, many)
	}
	p := &s.free[0]
	s.free = s.free[1:]
	return p
}

// tree parses the document. A syntax error ends the reading, because what
// follows it cannot be relied upon. What else TOML does not allow is all
// reported; ok is false then too, because the tree is not what was meant.
func (d *document) tree() (root *table, ok bool) {
	if !utf8.Valid(d.data) {
		d.notUTF8()
		return nil, false
	}
	b := &builder{doc: d, root: &table{}}
	b.here = b.root
	b.parser.Reset(d.data)
	for !d.full() && b.parser.NextExpression() {
		b.expression(b.parser.Expression())
	}
	if err := b.parser.Error(); err != nil {
		b.syntax(err)
	}
	return b.root, len(d.errs) == 0
}

func (b *builder) syntax(err error) {
	var p *unstable.ParserError
	if !errors.As(err, &p) {
		b.doc.fail(0, "", "not valid TOML: "+err.Error(), "")
		return
	}
	offset := int(0)
	if len(p.Highlight) > 0 {
		offset = int(b.parser.Range(p.Highlight).Offset)
	}
	b.doc.fail(offset, strings.Join(p.Key, "."), "not valid TOML: "+p.Message, "")
}

func (b *builder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.KeyValue:
		b.keyValue(b.here, b.inside, n)
	case unstable.Table:
		b.header(n, byHeader)
	case unstable.ArrayTable:
		b.header(n, tableList)
	}
}

// text is what a key or scalar says: a part of the source, unless escapes made
// something else of it. Every escape is longer than what it stands for, so the
// length tells.
func (b *builder) text(n *unstable.Node) string {
	raw := b.doc.source[n.Raw.Offset : n.Raw.Offset+n.Raw.Length]
	switch len(raw) - len(n.Data) {
	case 0:
		return raw
	case len(`""`):
		return raw[1 : len(raw)-1]
	}
	return string(n.Data)
}

func (b *builder) newKey(name string, at int, parent *key) *key {
	k := b.keys.next()
	k.at = at
	k.set(name, parent)
	if b.doc.foreign() && len(name) > contract.MaxName {
		b.doc.failAt(k, fmt.Sprintf("this key has %d bytes, and at most %d are read", len(name), contract.MaxName), "give it another name")
	}
	return k
}

// deepest is how deep tables may be nested, which the parser limits for inline ones.
const deepest = 10_000

// tooDeep reports a table that is nested too deep to have another one.
func (b *builder) tooDeep(parent *key, at int) bool {
	if parent == nil || parent.depth < deepest {
		return false
	}
	b.doc.fail(at, "", fmt.Sprintf("not read: tables are nested more than the maximum of %d levels deep", deepest), "")
	return true
}

// header enters a [table] or an element of a [[table]].
func (b *builder) header(n *unstable.Node, state tableState) {
	t, parent := b.root, (*key)(nil)
	// What stands under a header that is wrong belongs nowhere.
	b.here, b.inside = &table{}, nil
	for it := n.Key(); it.Next(); {
		part := it.Node()
		name, at := b.text(part), int(part.Raw.Offset)
		if b.tooDeep(parent, at) {
			return
		}
		k := t.get(name)
		switch {
		case k == nil:
			k = b.newKey(name, at, parent)
			t.add(k)
			if it.IsLast() && state == tableList {
				k.val.kind, k.val.at = unstable.Array, at
				b.addElement(&k.val, at)
			} else {
				b.makeTable(&k.val, at)
			}
		case it.IsLast():
			if !b.again(k, at, state) {
				b.twice(k, at, tableAdvice(k, ""))
				return
			}
		}
		t = k.val.innermost()
		if t == nil || t.state == closed {
			below := ""
			if it.Next() {
				below = b.text(it.Node())
			}
			b.twice(k, at, tableAdvice(k, below))
			return
		}
		if it.IsLast() && state == byHeader {
			t.state = byHeader
		}
		parent = k
	}
	b.here, b.inside = t, parent
}

// again reports whether a header may name a table that exists, and adds an
// element to a list of tables.
func (b *builder) again(k *key, at int, state tableState) bool {
	if state == tableList {
		items := k.val.items
		if len(items) == 0 || items[0].table == nil || items[0].table.state != tableList {
			return false
		}
		b.addElement(&k.val, at)
		return true
	}
	if k.val.table == nil || k.val.table.state != implied {
		return false
	}
	// The header that spells the table out is the better place to point at.
	k.at = at
	return true
}

func (b *builder) makeTable(v *value, at int) {
	v.kind, v.at, v.table = unstable.InlineTable, at, b.tables.next()
}

func (b *builder) addElement(list *value, at int) {
	var v value
	b.makeTable(&v, at)
	v.table.state = tableList
	list.items = append(list.items, v)
}

// innermost is the table that a header's next part is looked up in.
func (v *value) innermost() *table {
	if len(v.items) == 0 {
		return v.table
	}
	if last := v.items[len(v.items)-1].table; last != nil && last.state == tableList {
		return last
	}
	return nil
}

// twice reports a key that is given again in a way TOML does not allow.
func (b *builder) twice(k *key, at int, advice string) {
	first := b.doc.position(k.at)
	b.doc.fail(at, k.path(), fmt.Sprintf("it is given already on line %d", first.Line), advice)
}

// tableAdvice is what to do with a key that is given again as a table, or as what has a table of that name. The
// first guide to this format showed the short form of a box and a table beside it.
func tableAdvice(k *key, below string) string {
	switch {
	case !k.isBox():
		return "remove one of the two"
	case k.val.table != nil:
		return "write it all in one table; " + otherNameAdvice(k)
	case below != "":
		below = fmt.Sprintf(", then [%s.%s]", k.path(), quoteKey(below))
	}
	return fmt.Sprintf("write the long form alone: [%s] with library = \"…\"%s", k.path(), below)
}

// valueAdvice is what to do with a key that is given again with a value.
func valueAdvice(k *key) string {
	switch {
	case !k.isBox():
		return "remove one of the two"
	case k.val.table == nil || k.val.table.get("library") != nil || len(k.val.table.keys) == 0:
		return "remove one of the two; " + otherNameAdvice(k)
	}
	return tableAdvice(&key{name: k.name, parent: k.parent, depth: k.depth}, k.val.table.keys[0].name)
}

// otherNameAdvice is what to do where two libraries have a box of one name.
func otherNameAdvice(k *key) string {
	return fmt.Sprintf("where two libraries have this box, give one of them another name: [plugins.NAME] with library = \"…\" and box = %s", quote(k.name))
}

// isBox tells whether a key is one of [plugins].
func (k *key) isBox() bool {
	return k.parent != nil && k.parent.parent == nil && k.parent.name == "plugins"
}

func (b *builder) keyValue(t *table, parent *key, n *unstable.Node) {
	for it := n.Key(); it.Next(); {
		part := it.Node()
		name, at := b.text(part), int(part.Raw.Offset)
		if b.tooDeep(parent, at) {
			return
		}
		k := t.get(name)
		if it.IsLast() {
			if k != nil {
				b.twice(k, at, valueAdvice(k))
				return
			}
			k = b.newKey(name, at, parent)
			b.value(&k.val, k, n.Value())
			t.add(k)
			return
		}
		if k == nil {
			k = b.newKey(name, at, parent)
			b.makeTable(&k.val, at)
			k.val.table.state = byDots
			t.add(k)
		}
		if k.val.table == nil || k.val.table.state != byDots {
			b.twice(k, at, tableAdvice(k, ""))
			return
		}
		t, parent = k.val.table, k
	}
}

func (b *builder) value(v *value, k *key, n *unstable.Node) {
	v.kind, v.at = n.Kind, int(n.Raw.Offset)
	switch n.Kind {
	case unstable.Array:
		v.at = k.at
		b.array(v, k, n)
	case unstable.InlineTable:
		v.table = b.tables.next()
		for it := n.Children(); it.Next(); {
			b.keyValue(v.table, k, it.Node())
		}
		v.table.close()
	default:
		v.text = b.text(n)
		if what := wrongScalar(n.Kind, v.text); what != "" {
			b.doc.fail(v.at, k.path(), "not valid TOML: "+v.text+" "+what, "")
		}
	}
}

func (b *builder) array(v *value, k *key, n *unstable.Node) {
	count := 0
	for it := n.Children(); it.Next(); {
		count++
	}
	v.items = make([]value, count)
	i := 0
	for it := n.Children(); it.Next(); i++ {
		b.value(&v.items[i], k, it.Node())
	}
}

// dateLayouts are the values that the parser knows only the syntax of.
var dateLayouts = map[unstable.Kind][]string{
	unstable.LocalDate:     {time.DateOnly},
	unstable.LocalTime:     {time.TimeOnly, "15:04"},
	unstable.LocalDateTime: {"2006-01-02T15:04:05", "2006-01-02T15:04"},
	unstable.DateTime:      {time.RFC3339, "2006-01-02T15:04Z07:00"},
}

// dateSyntax is that of all dates and times. [time.Parse] also takes an hour of one digit,
// a comma before the fraction, and offsets of 24 hours and of 60 minutes.
var dateSyntax = regexp.MustCompile(`^(\d{4}-\d\d-\d\d(T|$))?(\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?)?$`)

// wrongScalar says what is wrong with a number or date of good syntax.
func wrongScalar(kind unstable.Kind, text string) string {
	switch kind {
	case unstable.String, unstable.Bool, unstable.Float:
		return ""
	case unstable.Integer:
		const shortest = len("0x8000000000000000") // that can be too large
		if len(text) < shortest {
			return ""
		}
		if _, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 0, 64); err != nil {
			return "does not fit 64 bits"
		}
		return ""
	}
	text = strings.ToUpper(strings.Replace(text, " ", "T", 1))
	for _, layout := range dateLayouts[kind] {
		if _, err := time.Parse(layout, text); err == nil && dateSyntax.MatchString(text) {
			return ""
		}
	}
	return "is not a date or time"
}
