package registry

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// ownBoxFields is how many of boxFields a library may decide about itself.
const ownBoxFields = 4

// boxFields are the keys of a box, in either form.
var boxFields = withLater([]field[*Box]{
	{name: "doc", read: func(d *document, b *Box, k *key) { b.Doc = d.doc(k) }},
	{name: "type_id", read: func(d *document, b *Box, k *key) { b.TypeID, b.HasTypeID = d.id(k) }},
	{name: "singleton", read: func(d *document, b *Box, k *key) { b.Singleton = d.boolean(k) }},
	{name: "methods", read: readMethods},
	{name: "leaf", refused: true, read: func(d *document, _ *Box, k *key) {
		d.failAt(k, "leaf is said of a method, and not of all", "write it for each: methods = { name = { leaf = "+cmp.Or(k.val.text, "false")+" } }")
	}},
	{name: "tester", read: readTester},
}, later.box)

// libraryBoxFields are the keys of a box in the [libraries] form.
var libraryBoxFields = append([]field[*Box]{
	{name: "abi_version", read: readABIVersion},
}, boxFields...)

func (d *document) newBox(c *Config, k *key) *Box {
	if k.name == "" {
		d.failAt(k, "a box's name is empty", "give the box a name")
	}
	d.checkName(k, k.name)
	return &Box{Name: k.name, LibraryName: k.name, Pos: d.position(k.at), config: c, key: k, doc: d}
}

func readABIVersion(d *document, _ *Box, k *key) {
	if v, ok := d.id(k); ok && v != abi.Version {
		d.fail(k.val.at, k.path(), fmt.Sprintf("ABI version %d is not supported", v), fmt.Sprintf("this host speaks version %d", abi.Version))
	}
}

func readMethods(d *document, b *Box, k *key) {
	if !d.want(k, unstable.InlineTable, "{ open = { method_id = 1 } }") {
		return
	}
	if d.tooManyMethods(k) {
		return
	}
	b.MethodsDeclared = true
	count := len(k.val.table.keys)
	ids := make(map[uint32]*Method, count)
	b.Methods = make([]*Method, 0, count)
	for _, k := range k.val.table.keys {
		if k.val.kind == unstable.Bool {
			d.hide(b, k)
			continue
		}
		if !d.want(k, unstable.InlineTable, "{ method_id = "+k.val.id("1")+" }") {
			continue
		}
		if k.name == "" {
			d.failAt(k, "a method's name is empty", "give the method a name")
		}
		d.checkName(k, k.name)
		m := &Method{Name: k.name, Pos: d.position(k.at), key: k}
		read(d, k.val.table, m, methodFields, nil)
		d.reservedID(m)
		switch m.Name {
		case abi.NameBirth:
			b.Birth = m
			continue
		case abi.NameFini:
			continue
		}
		b.Methods = append(b.Methods, m)
		if !m.HasID {
			continue
		}
		if other := ids[m.ID]; other != nil {
			d.sharedID(b, m, other)
			continue
		}
		ids[m.ID] = m
	}
}

// tooManyMethods refuses more methods than a library may describe.
func (d *document) tooManyMethods(k *key) bool {
	return d.tooMany(k, "methods", len(k.val.table.keys), contract.MaxMethods)
}

// tooManyBoxes refuses more boxes than a library may describe.
func (d *document) tooManyBoxes(k *key, count int) bool {
	return d.tooMany(k, "boxes", count, contract.MaxBoxes)
}

func (d *document) tooMany(k *key, what string, count, most int) bool {
	if count <= most {
		return false
	}
	d.failAt(k, fmt.Sprintf("it has %d %s, and at most %d are read", count, what, most), "leave out those that nobody uses")
	return true
}

// hide reads `name = false`: a method of the library that nobody is to call.
func (d *document) hide(b *Box, k *key) {
	switch {
	case d.self:
		d.failAt(k, "a library cannot hide its own methods", "leave it out")
	case k.name == abi.NameBirth || k.name == abi.NameFini:
		d.fail(k.val.at, k.path(), k.name+" cannot be hidden: every instance needs it", "leave it out")
	case k.val.text == "true":
		d.fail(k.val.at, k.path(), "true says nothing: a method that the library describes is there anyway",
			fmt.Sprintf("leave it out, or write %s = false to hide it", k.name))
	default:
		b.Hidden = append(b.Hidden, &Method{Name: k.name, Pos: d.position(k.at), key: k})
	}
}

// reservedID checks that birth and fini have their ids and no other method
// does.
func (d *document) reservedID(m *Method) {
	name := "method_id"
	if d.manifest {
		name = "id"
	}
	id := m.key.child(name)
	for _, r := range []struct {
		name string
		id   uint32
	}{{abi.NameBirth, abi.MethodBirth}, {abi.NameFini, abi.MethodFini}} {
		switch {
		case !m.HasID:
		case m.Name == r.name && m.ID != r.id:
			d.failAt(id, fmt.Sprintf("%s always has the id %d, and this says %d", r.name, r.id, m.ID), fmt.Sprintf("leave it out or write %s = %d", name, r.id))
		case m.Name != r.name && m.ID == r.id:
			d.failAt(id, fmt.Sprintf("the id %d is %s's, whatever else a box has", r.id, r.name), "choose another id")
		}
	}
	if m.Name == abi.NameBirth || m.Name == abi.NameFini {
		m.ID, m.HasID = abi.MethodBirth, true
		if m.Name == abi.NameFini {
			m.ID = abi.MethodFini
		}
	}
}

// sharedID reports two methods with one id. Public files of the [libraries]
// form have aliases, so there it is no more than a warning.
func (d *document) sharedID(b *Box, m, other *Method) {
	at := m.key.child("method_id").at
	what := fmt.Sprintf("method_id %d is %s's already (line %d)", m.ID, other.Name, other.Pos.Line)
	if b.key.parent.parent != nil { // libraries."lib".Box
		d.warn(at, m.key.path(), what, "both names call the same method")
		return
	}
	d.fail(at, m.key.path(), what, "give each method an id of its own")
}

var methodFields = withLater([]field[*Method]{
	{name: "method_id", read: func(d *document, m *Method, k *key) { m.ID, m.HasID = d.id(k) }},
	{name: "args", read: readArgs},
	{name: "returns", read: func(d *document, m *Method, k *key) { m.Returns = d.returns(k) }},
	{name: "returns_result", read: func(d *document, m *Method, k *key) { m.ReturnsResult = d.boolean(k) }},
	{name: "leaf", read: readLeaf},
	{name: "doc", read: func(d *document, m *Method, k *key) { m.Doc = d.doc(k) }},
}, later.method)

func readLeaf(d *document, m *Method, k *key) {
	m.Leaf = d.boolean(k)
	if m.Leaf && (m.Name == abi.NameBirth || m.Name == abi.NameFini) {
		d.failAt(k, m.Name+" cannot be a leaf method: it may take as long as it needs", "leave it out")
	}
}

func readArgs(d *document, m *Method, k *key) {
	if !d.want(k, unstable.Array, `[ { name = "path", from = "string", to = "string" } ]`) {
		return
	}
	m.ArgsDeclared = true
	if d.tooManyArgs(k) {
		return
	}
	m.Args = make([]Arg, 0, len(k.val.items))
	seen := make(map[string]bool, len(k.val.items))
	for i := range k.val.items {
		item := &k.val.items[i]
		a := d.argument(k, i, item)
		if seen[a.Name] && a.Name != "" {
			d.fail(item.at, k.path(), fmt.Sprintf("two arguments are called %s", a.Name), "give each argument a name of its own")
		}
		seen[a.Name] = true
		m.Args = append(m.Args, a)
	}
}

func (d *document) tooManyArgs(k *key) bool {
	if len(k.val.items) <= tlv.MaxEntries {
		return false
	}
	d.failAt(k, fmt.Sprintf("it lists %d arguments, and a message has at most %d", len(k.val.items), tlv.MaxEntries), "list fewer")
	return true
}

// argEntry is one entry of args while it is read.
type argEntry struct {
	Arg
	from, to, kind *key
}

var argFields = withLater([]field[*argEntry]{
	{name: "name", read: func(d *document, a *argEntry, k *key) { a.Name = d.text(k, "path") }},
	{name: "from", read: func(d *document, a *argEntry, k *key) { a.from = k }},
	{name: "to", read: func(d *document, a *argEntry, k *key) { a.to = k }},
	{name: "kind", read: func(d *document, a *argEntry, k *key) { a.kind = k }},
	{name: "doc", read: func(d *document, a *argEntry, k *key) { a.Doc = d.doc(k) }},
	// Only other tools look at it.
	{name: "category", read: func(d *document, a *argEntry, k *key) { d.text(k, "plugin") }},
	{name: "optional", read: readManifestKey, refused: true},
	{name: "default", read: readManifestKey, refused: true},
}, later.argument)

// readManifestKey refuses what only a manifest declares of an argument.
func readManifestKey(d *document, _ *argEntry, k *key) {
	if d.self {
		d.notYet(k.at, k, "")
		return
	}
	d.failAt(k, "not supported here yet", "leave it out: it belongs in the "+ManifestName+" of a library that has tables")
}

func (d *document) argument(args *key, i int, item *value) Arg {
	switch {
	case item.kind == unstable.String && item.text != "":
		d.checkName(args, item.text)
		return Arg{Name: item.text}
	case item.table == nil:
		d.fail(item.at, args.path(), fmt.Sprintf("argument %d must be a table or a name", i+1),
			`write { name = "path", from = "string", to = "string" } or "path"`)
		return Arg{}
	}
	a := &argEntry{}
	errs := len(d.errs)
	read(d, item.table, a, argFields, nil)
	if len(d.errs) == errs {
		d.types(a)
	}
	if a.Name == "" {
		a.Name = "argument " + strconv.Itoa(i+1)
	}
	d.checkName(args, a.Name)
	return a.Arg
}

// types settles from and to, each of which may be left to the other.
func (d *document) types(a *argEntry) {
	if a.kind != nil {
		d.argKind(a)
		return
	}
	if a.from != nil {
		word := d.text(a.from, "string")
		from, ok := sig.ParseKind(word)
		if !ok {
			d.wrongType(a.from, word, sig.KindNames(), "not a type of a caller's value")
			return
		}
		a.From, a.To = from, from.Natural()
	}
	if a.to == nil {
		return
	}
	word := d.text(a.to, "string")
	if d.notYetType(a.to, word) {
		return
	}
	to, ok := sig.ParseType(word)
	if !ok {
		d.wrongType(a.to, word, sig.TypeNames(), "not a type of the wire")
		return
	}
	if !a.From.Converts(to) {
		d.fail(a.to.val.at, a.to.path(), fmt.Sprintf("%s does not convert to %s", a.From, word),
			fmt.Sprintf("%s can become %s", a.From, list(a.From.Targets())))
		return
	}
	a.To = to
}

// wrongType is for a word that is no type. One that begins as names of boxes do is taken for one.
func (d *document) wrongType(k *key, word string, known []string, what string) {
	if word == "" || word[0] < 'A' || word[0] > 'Z' {
		d.wrongWord(k, word, known, what)
		return
	}
	d.fail(k.val.at, k.path(), fmt.Sprintf("%q is %s%s", word, what, suggest.DidYouMean(word, known)), `an instance of a box is from = "box", to = "handle"`)
}

func (d *document) argKind(a *argEntry) {
	word := d.text(a.kind, "box")
	k, ok := argKinds[word]
	switch {
	case a.from != nil || a.to != nil:
		d.failAt(a.kind, "it cannot stand beside from and to", "write either kind, or from and to")
	case !ok:
		d.wrongWord(a.kind, word, argKindNames, "not a kind of argument")
	default:
		a.From, a.To = k.From, k.To
	}
}

func (d *document) returns(k *key) Returns {
	word := d.text(k, "i32")
	if word == "" || d.notYetType(k, word) {
		return Returns{}
	}
	return sig.ParseReturns(word)
}

func (d *document) wrongWord(k *key, word string, known []string, what string) {
	if word == "" {
		return // reported already
	}
	d.fail(k.val.at, k.path(), fmt.Sprintf("%q is %s%s", word, what, suggest.DidYouMean(word, known)), fmt.Sprintf("known: %s", list(known)))
}
