package registry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A value of the file, with its place.
type value struct {
	text  string // of a scalar: a string's contents, else as written
	array *array
	table *table
	at    int32 // byte offset
	is    uint8 // its kind; small, because a large file has many values
}

type array []*value

// kind is InlineTable for every table and Array for every array.
func (v *value) kind() unstable.Kind { return unstable.Kind(v.is) }

func (v *value) items() array {
	if v.array == nil {
		return nil
	}
	return *v.array
}

// table keeps its keys in the order of the file.
type table struct {
	keys  []*key
	index map[string]*key // once there are many keys
	state tableState
}

// tableState is what TOML's rules about defining a table twice need to know.
type tableState uint8

const (
	implied   tableState = iota // named on the way to another table
	byHeader                    // [table]
	byDots                      // key.key = value
	closed                      // inline: complete as it stands
	tableList                   // [[table]]
)

type key struct {
	name   string
	at     int32
	parent *key // nil at the top
	val    *value
}

const (
	indexFrom = 12 // keys from which on a table has an index
	firstKeys = 4  // that a table has room for at first
)

func (t *table) get(name string) *key {
	if t.index != nil {
		return t.index[name]
	}
	for _, k := range t.keys {
		if k.name == name {
			return k
		}
	}
	return nil
}

func (t *table) add(k *key) {
	if t.keys == nil {
		t.keys = make([]*key, 0, firstKeys)
	}
	t.keys = append(t.keys, k)
	switch {
	case t.index != nil:
		t.index[k.name] = k
	case len(t.keys) == indexFrom:
		t.index = make(map[string]*key)
		for _, k := range t.keys {
			t.index[k.name] = k
		}
	}
}

// path is the dotted key, quoted where TOML needs it.
func (k *key) path() string {
	name := k.name
	if !isBareKey(name) {
		name = strconv.Quote(name)
	}
	if k.parent == nil {
		return name
	}
	return k.parent.path() + "." + name
}

func isBareKey(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// builder makes a tree of the parser's expressions. The parser knows TOML's
// syntax; what a document may say twice is for the builder to know.
type builder struct {
	doc    *document
	parser unstable.Parser
	root   *table
	here   *table // of the last header
	inside *key

	// A large file has tens of thousands of these, which all live as long.
	source string // of the document; names and texts are parts of it
	keys   slab[key]
	values slab[value]
	tables slab[table]
}

// slab allocates many at a time.
type slab[T any] struct{ free []T }

func (s *slab[T]) make(v T) *T {
	const many = 128
	if len(s.free) == 0 {
		s.free = make([]T, many)
	}
	p := &s.free[0]
	s.free = s.free[1:]
	*p = v
	return p
}

// text is what a key or scalar says: a part of the source, unless escapes made
// something else of it.
func (b *builder) text(n *unstable.Node) string {
	raw := b.source[n.Raw.Offset : n.Raw.Offset+n.Raw.Length]
	if len(raw) == len(n.Data) && raw == string(n.Data) {
		return raw
	}
	if len(raw) == len(n.Data)+2 && raw[1:len(raw)-1] == string(n.Data) {
		return raw[1 : len(raw)-1] // in quotes
	}
	return string(n.Data)
}

// errStop ends building: the error is in the document already.
var errStop = errors.New("stop")

// tree parses the document. A syntax error ends the reading, because what
// follows it cannot be relied upon.
func (d *document) tree() (*table, bool) {
	if !utf8.Valid(d.data) {
		d.notUTF8()
		return nil, false
	}
	b := &builder{doc: d, root: &table{}, source: string(d.data)}
	b.here = b.root
	b.parser.Reset(d.data)
	for b.parser.NextExpression() {
		if b.expression(b.parser.Expression()) != nil {
			return nil, false
		}
	}
	if err := b.parser.Error(); err != nil {
		b.syntax(err)
		return nil, false
	}
	return b.root, true
}

func (d *document) notUTF8() {
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		if r == utf8.RuneError && n == 1 {
			d.fail(int32(i), "", fmt.Sprintf("byte %#02x is not UTF-8", d.data[i]), "save the file as UTF-8")
			return
		}
		i += n
	}
}

func (b *builder) syntax(err error) {
	var p *unstable.ParserError
	if !errors.As(err, &p) {
		b.doc.fail(0, "", err.Error(), "")
		return
	}
	offset := int32(0)
	if len(p.Highlight) > 0 {
		offset = int32(b.parser.Range(p.Highlight).Offset)
	}
	b.doc.fail(offset, strings.Join(p.Key, "."), "not valid TOML: "+p.Message, "")
}

func (b *builder) expression(n *unstable.Node) error {
	switch n.Kind {
	case unstable.KeyValue:
		return b.keyValue(b.here, b.inside, n)
	case unstable.Table:
		return b.header(n, byHeader)
	case unstable.ArrayTable:
		return b.header(n, tableList)
	}
	return nil
}

// header enters a [table] or an element of a [[table]].
func (b *builder) header(n *unstable.Node, state tableState) error {
	t, parent := b.root, (*key)(nil)
	for it := n.Key(); it.Next(); {
		part := it.Node()
		name, at := b.text(part), int32(part.Raw.Offset)
		k := t.get(name)
		if k == nil {
			k = b.keys.make(key{name: name, at: at, parent: parent, val: b.newTable(at)})
			t.add(k)
			if it.IsLast() && state == tableList {
				k.val = &value{is: uint8(unstable.Array), at: at, array: &array{b.newTable(at)}}
				k.val.items()[0].table.state = tableList
			}
		} else if it.IsLast() {
			if err := b.again(k, at, state); err != nil {
				return err
			}
		}
		t = k.val.innermost()
		if t == nil || t.state == closed {
			return b.twice(k, at)
		}
		if it.IsLast() && state == byHeader {
			t.state = byHeader
		}
		parent = k
	}
	b.here, b.inside = t, parent
	return nil
}

// again checks a header whose table exists.
func (b *builder) again(k *key, at int32, state tableState) error {
	if state == tableList {
		if k.val.kind() != unstable.Array || len(k.val.items()) == 0 || k.val.items()[0].table == nil || k.val.items()[0].table.state != tableList {
			return b.twice(k, at)
		}
		next := b.newTable(at)
		next.table.state = tableList
		*k.val.array = append(*k.val.array, next)
		return nil
	}
	if k.val.table == nil || k.val.table.state != implied {
		return b.twice(k, at)
	}
	// The header that spells the table out is the better place to point at.
	k.at = at
	return nil
}

func (b *builder) newTable(at int32) *value {
	return b.values.make(value{is: uint8(unstable.InlineTable), at: at, table: b.tables.make(table{})})
}

// innermost is the table that a header's next part is looked up in.
func (v *value) innermost() *table {
	items := v.items()
	if len(items) == 0 {
		return v.table
	}
	if last := items[len(items)-1].table; last != nil && last.state == tableList {
		return last
	}
	return nil
}

// twice reports a key that is given again in a way TOML does not allow.
func (b *builder) twice(k *key, at int32) error {
	first := b.doc.position(k.at)
	advice := "remove one of the two"
	// The first guide to this format showed both forms at once.
	if k.parent != nil && k.parent.parent == nil && k.parent.name == "plugins" {
		advice = fmt.Sprintf("write the long form alone: [plugins.%s] with library = \"…\", then [plugins.%s.methods]", k.name, k.name)
	}
	b.doc.fail(at, k.path(), fmt.Sprintf("it is given already on line %d", first.Line), advice)
	return errStop
}

func (b *builder) keyValue(t *table, parent *key, n *unstable.Node) error {
	for it := n.Key(); it.Next(); {
		part := it.Node()
		name, at := b.text(part), int32(part.Raw.Offset)
		k := t.get(name)
		if it.IsLast() {
			if k != nil {
				return b.twice(k, at)
			}
			k = b.keys.make(key{name: name, at: at, parent: parent})
			v, err := b.value(k, n.Value())
			if err != nil {
				return err
			}
			k.val = v
			t.add(k)
			return nil
		}
		if k == nil {
			k = b.keys.make(key{name: name, at: at, parent: parent, val: b.newTable(at)})
			k.val.table.state = byDots
			t.add(k)
		}
		if k.val.table == nil || k.val.table.state != byDots {
			return b.twice(k, at)
		}
		t, parent = k.val.table, k
	}
	return nil
}

func (b *builder) value(k *key, n *unstable.Node) (*value, error) {
	v := b.values.make(value{is: uint8(n.Kind), at: int32(n.Raw.Offset)})
	switch n.Kind {
	case unstable.Array:
		v.at = k.at
		var items array
		for it := n.Children(); it.Next(); {
			item, err := b.value(k, it.Node())
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		v.array = &items
	case unstable.InlineTable:
		v.table = b.tables.make(table{})
		for it := n.Children(); it.Next(); {
			if err := b.keyValue(v.table, k, it.Node()); err != nil {
				return nil, err
			}
		}
		v.table.close()
	default:
		v.text = b.text(n)
	}
	return v, nil
}

// close ends an inline table, and the tables that its dotted keys made.
func (t *table) close() {
	for _, k := range t.keys {
		if k.val.table != nil {
			k.val.table.close()
		}
	}
	t.state = closed
}
