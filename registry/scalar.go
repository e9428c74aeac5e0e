package registry

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// kindNames are what an author calls the kinds of TOML values.
var kindNames = map[unstable.Kind]string{
	unstable.String:        "a string",
	unstable.Bool:          "a boolean",
	unstable.Integer:       "an integer",
	unstable.Float:         "a float",
	unstable.Array:         "an array",
	unstable.InlineTable:   "a table",
	unstable.LocalDate:     "a date",
	unstable.LocalTime:     "a time",
	unstable.LocalDateTime: "a date and time",
	unstable.DateTime:      "a date and time",
}

// want checks the kind of a key's value.
func (d *document) want(k *key, kind unstable.Kind, example string) bool {
	if k.val.kind == kind {
		return true
	}
	d.fail(k.val.at, k.path(), "it must be "+kindNames[kind]+", and this is "+kindNames[k.val.kind], "write "+k.name+" = "+example)
	return false
}

func (d *document) text(k *key, example string) string {
	if k.val.kind != unstable.String {
		d.want(k, unstable.String, strconv.Quote(example))
		return ""
	}
	if k.val.text == "" {
		d.fail(k.val.at, k.path(), "it is empty", "write "+k.name+" = "+strconv.Quote(example))
	}
	return k.val.text
}

// file is text for a name or path that errors and lists show.
func (d *document) file(k *key, example string) string {
	text := d.text(k, example)
	d.checkShown(k, &k.val)
	return text
}

// checkShown refuses a text that a host would not show.
func (d *document) checkShown(k *key, v *value) {
	if err := contract.CheckShown(v.text); err != nil {
		d.fail(v.at, k.path(), err.Error(), "leave that character out")
	}
}

func (d *document) boolean(k *key) bool {
	example := "true"
	if slices.Contains([]string{"false", "no", "off", "0"}, strings.ToLower(k.val.text)) {
		example = "false"
	}
	return d.want(k, unstable.Bool, example) && k.val.text == "true"
}

// id reads an integer of 32 bits.
func (d *document) id(k *key) (uint32, bool) {
	if !d.want(k, unstable.Integer, k.val.id("6")) {
		return 0, false
	}
	// Base 0 reads what TOML writes: 0x, 0o, 0b and underscores. A plus sign
	// is TOML's, a leading zero was refused by the parser.
	n, err := strconv.ParseUint(strings.TrimPrefix(k.val.text, "+"), 0, 32)
	if err != nil {
		d.fail(k.val.at, k.path(), "invalid id "+k.val.text, "ids are whole numbers from 0 to 4294967295")
		return 0, false
	}
	return uint32(n), true
}

// id is the id that a value of another kind was meant to be, or otherwise where it was meant
// to be none.
func (v *value) id(otherwise string) string {
	if v.kind == unstable.String || v.kind == unstable.Integer {
		if n, err := strconv.ParseUint(v.text, 10, 32); err == nil {
			return strconv.FormatUint(n, 10)
		}
	}
	return otherwise
}

// texts reads an array of strings.
func (d *document) texts(k *key, example string) []string {
	if k.val.kind != unstable.Array {
		d.want(k, unstable.Array, "["+strconv.Quote(example)+"]")
		return nil
	}
	all := make([]string, 0, len(k.val.items))
	for _, item := range k.val.items {
		if item.kind != unstable.String || item.text == "" {
			d.fail(item.at, k.path(), "its entries must be strings that are not empty", "write "+k.name+" = ["+strconv.Quote(example)+"]")
			continue
		}
		all = append(all, item.text)
	}
	return all
}

// field is one key that a table may have, and how it is read. A new key of
// nyash.toml is a new line in one of the tables of fields. A field without read
// is a key that this version does not support yet.
type field[T any] struct {
	name    string
	read    func(d *document, into T, k *key)
	refused bool // read reports that the key must not stand here
}

// later are the words of the specification that this version does not support
// yet, by where they stand. Ignoring one could break a promise (permissions,
// say), and calling it unknown would send its author looking for a typing error.
var later = struct{ file, box, method, argument, types []string }{
	file:     []string{"runtimes"},
	box:      []string{"events", "runtime"},
	method:   []string{"async", "schema"},
	argument: []string{"schema"},
	types:    []string{"json", "msgpack", "protobuf"}, // of arguments and results
}

// withLater adds keys that are not supported yet to those that are.
func withLater[T any](fields []field[T], later []string) []field[T] {
	for _, name := range later {
		fields = append(fields, field[T]{name: name})
	}
	return fields
}

// notYet reports something that this version does not support yet. In a library's text
// it is a warning: the library may be newer than its host.
func (d *document) notYet(at int, k *key, what string) {
	if d.self {
		d.warn(at, k.path(), what+"not supported yet", "this host does without it")
		return
	}
	d.fail(at, k.path(), what+"not supported yet", "leave it out: this version does not read it")
}

// notYetType reports a type that is not supported yet.
func (d *document) notYetType(k *key, word string) bool {
	if !slices.Contains(later.types, word) {
		return false
	}
	d.notYet(k.val.at, k, strconv.Quote(word)+" is ")
	return true
}

// read hands each key of a table to its field. A key that none has goes to
// other, or is an error where that is nil. It ends where no more mistakes are collected.
func read[T any](d *document, t *table, into T, fields []field[T], other func(*key)) {
next:
	for _, k := range t.keys {
		if d.full() {
			return
		}
		for _, f := range fields {
			switch {
			case f.name != k.name:
				continue
			case f.read == nil:
				d.notYet(k.at, k, "")
			default:
				f.read(d, into, k)
			}
			continue next
		}
		if other != nil {
			other(k)
			continue
		}
		d.unknown(k, names(fields))
	}
}

// names are the keys that are supported.
func names[T any](fields []field[T]) []string {
	all := make([]string, 0, len(fields))
	for _, f := range fields {
		if f.read != nil && !f.refused {
			all = append(all, f.name)
		}
	}
	return all
}

// lift lets the keys of one thing stand in the table of another that holds it.
func lift[Outer, Inner any](fields []field[Inner], inner func(Outer) Inner) []field[Outer] {
	all := make([]field[Outer], len(fields))
	for i, f := range fields {
		all[i].name, all[i].refused = f.name, f.refused
		if f.read != nil {
			all[i].read = func(d *document, into Outer, k *key) { f.read(d, inner(into), k) }
		}
	}
	return all
}

func (d *document) unknown(k *key, known []string) {
	if d.self && !d.warns() {
		return
	}
	advice := "known keys here: " + strings.Join(known, ", ")
	if near := suggest.Nearest(k.name, known); near != "" {
		advice = "did you mean " + near + "?"
	}
	if d.self {
		d.warn(k.at, k.path(), "unknown key", advice)
		return
	}
	d.failAt(k, "unknown key", advice)
}

// doc reads text for people. A library's is made fit for terminals, and keeps its
// lines.
func (d *document) doc(k *key) string {
	if !d.want(k, unstable.String, `"what it does"`) {
		return ""
	}
	text := strings.TrimSpace(k.val.text)
	if d.foreign() {
		return contract.PrintableLines(text)
	}
	return text
}
