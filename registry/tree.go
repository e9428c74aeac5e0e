package registry

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A value of the file, with its place.
type value struct {
	kind  unstable.Kind // InlineTable for every table and Array for every array
	at    int           // byte offset
	text  string        // of a scalar: a string's contents, else as written
	items []value       // of an array
	table *table
}

// key is a key of a table, with its value.
type key struct {
	name   string
	parent *key // nil at the top
	val    value
	at     int // byte offset
	depth  int // from 1
}

// emptyTable is a key that stands for one which nobody wrote.
func emptyTable(name string, at int, parent *key) *key {
	k := &key{at: at, val: value{kind: unstable.InlineTable, at: at, table: &table{}}}
	k.set(name, parent)
	return k
}

func (k *key) set(name string, parent *key) {
	k.name, k.parent, k.depth = name, parent, 1
	if parent != nil {
		k.depth += parent.depth
	}
}

// table keeps its keys in the order of the file.
type table struct {
	keys  []*key
	index map[string]*key // of the same; nil while there are few
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

// indexFrom is the number of keys from which on a table has an index.
const indexFrom = 12

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
		t.keys = make([]*key, 0, 4)
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

// close ends an inline table, and the tables that its dotted keys made.
func (t *table) close() {
	for _, k := range t.keys {
		if sub := k.val.table; sub != nil && sub.state != closed {
			sub.close()
		}
	}
	t.state = closed
}

// child is a key of a key's table, or the key itself where that has none: the
// best place to point at.
func (k *key) child(name string) *key {
	if k.val.table != nil {
		if c := k.val.table.get(name); c != nil {
			return c
		}
	}
	return k
}

// path is the dotted key, quoted where TOML needs it. Of one that is deeper than any that
// means something, and of long names, it has the beginning.
func (k *key) path() string {
	const deepest, longest = 16, 256
	for k.depth > deepest {
		k = k.parent
	}
	names := make([]string, k.depth)
	for p := k; p != nil; p = p.parent {
		name := p.name
		if len(name) > longest {
			name = strings.ToValidUTF8(name[:longest], "") + "…"
		}
		names[p.depth-1] = quoteKey(name)
	}
	return strings.Join(names, ".")
}

func quoteKey(name string) string {
	if isBareKey(name) {
		return name
	}
	return quote(name)
}

// quote writes a string as TOML does. What cannot be seen is escaped; Go's quoting has
// escapes that TOML has not.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func isBareKey(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}
