package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// Description is a library's description of its own boxes, the text that its
// nyash_plugin_config returns (docs/abi.md, "Self-description"). It is read as a
// nyash.toml is, but that only what a library may decide can stand in it.
type Description struct {
	Library    string // that it is of
	Boxes      []*Box // in the order of the text; Methods and Birth as in nyash.toml
	Threads    Threads
	HasThreads bool   // else the library leaves it to nyash.toml
	Artifact   string // of a manifest: where it says that the library is, on this system
	// Requests are what the library would like to be permitted, as it is written, and Uses
	// what it asks to use, for all its boxes together. They count for nothing until
	// nyash.toml has them.
	Requests []Request
	Uses     []Use
	Warnings Errors // what this host does not know or does not support

	boxes map[string]*Box
	// artifactMistakes are what is wrong with Artifact, which concerns only who looks for the
	// library there.
	artifactMistakes Errors
	// manifest is true of a nyash_box.toml, which need not know all boxes of the library,
	// and which nyash.toml may contradict.
	manifest bool
	// manifestPath is the nyash_box.toml that this is or that was joined to it; empty where
	// none is read for the library. noManifest is true where there is no such file.
	manifestPath string
	noManifest   bool
}

// Request is a key of a self-description by which a library asks for something that
// only nyash.toml grants: `uses` or `events`.
type Request struct {
	Box  string
	Key  string
	TOML string // the value, as a TOML value on one line
}

// ParseDescription reads the text that a library's nyash_plugin_config returned.
// Errors call the library by its name, and their lines are the text's. The error is an
// [Errors].
//
// The text is not trusted: names with control characters are errors, and what is shown
// of it has them escaped.
func ParseDescription(library, text string) (*Description, error) {
	d := newDocument(library+" (self-description)", []byte(text))
	d.self = true
	desc := &Description{Library: library, boxes: make(map[string]*Box)}
	if root, ok := d.tree(); ok {
		d.description(desc, root)
	}
	if len(d.errs) > 0 {
		return nil, d.errs.inOrder()
	}
	desc.Warnings = d.allWarnings()
	return desc, nil
}

// Box finds a box by the name that the library gives it.
func (d *Description) Box(name string) (*Box, bool) {
	if d == nil {
		return nil, false
	}
	b, ok := d.boxes[name]
	return b, ok
}

// Join returns d with the boxes that only other describes. Either may be nil.
func (d *Description) Join(other *Description) *Description {
	if d == nil || other == nil {
		return cmp.Or(d, other)
	}
	all := *d
	all.manifestPath, all.noManifest = other.manifestPath, other.noManifest
	all.Boxes, all.boxes = slices.Clone(d.Boxes), maps.Clone(d.boxes)
	for _, b := range other.Boxes {
		if all.boxes[b.Name] == nil {
			all.Boxes = append(all.Boxes, b)
			all.boxes[b.Name] = b
		}
	}
	return &all
}

func (d *Description) boxNames() []string {
	all := make([]string, len(d.Boxes))
	for i, b := range d.Boxes {
		all[i] = b.Name
	}
	return all
}

func (d *document) description(desc *Description, root *table) {
	read(d, root, desc, []field[*Description]{{name: "plugins", read: readDescribed}}, nil)
	if len(desc.Boxes) == 0 && len(d.errs) == 0 {
		d.fail(0, "", "it describes no box", "write a [plugins.Box] table for each box of the library")
	}
	desc.Uses = uniqueUses(desc.Uses)
	d.uniqueTypeIDs(desc.Boxes, func(_ *Box, k *key, msg, advice string) { d.failAt(k, msg, advice) })
	for _, b := range desc.Boxes {
		d.checkReturnsOf(b, desc.boxes, "the name of a box that the library describes")
	}
	if desc.Threads == ThreadsPinned {
		d.checkLeaves(desc.Boxes)
	}
}

// readDescribed reads the table of a self-description that has one for each box.
func readDescribed(d *document, desc *Description, k *key) {
	if !d.want(k, unstable.InlineTable, `{ FileBox = { type_id = 6 } }`) {
		return
	}
	if d.tooManyBoxes(k, len(k.val.table.keys)) {
		return
	}
	for _, k := range k.val.table.keys {
		if !d.want(k, unstable.InlineTable, `{ type_id = 6 }`) {
			continue
		}
		e := &described{box: d.newBox(nil, k), desc: desc}
		read(d, k.val.table, e, describedFields, nil)
		desc.Boxes = append(desc.Boxes, e.box)
		desc.boxes[e.box.Name] = e.box
	}
}

// described is a box of a self-description while it is read.
type described struct {
	box  *Box
	desc *Description
}

// describedFields are the keys that a box may have in a self-description.
var describedFields = slices.Concat(
	lift(boxFields[:ownBoxFields], func(e *described) *Box { return e.box }),
	[]field[*described]{
		{name: "threads", read: readDescribedThreads},
		{name: "uses", read: readDescribedUses},
		{name: "events", read: readRequest},
	},
	refusedFields("library", "box", "unload", "tester", "strict", "permissions", "instances", "runtime"),
	refusedFields(names(processFields)...))

// refusedFields are keys that a library must not decide for its host.
func refusedFields(keys ...string) []field[*described] {
	all := make([]field[*described], len(keys))
	for i, name := range keys {
		all[i] = field[*described]{name: name, refused: true, read: func(d *document, _ *described, k *key) {
			d.failAt(k, "a library cannot say that of itself", "leave it to the host's nyash.toml")
		}}
	}
	return all
}

func readDescribedThreads(d *document, e *described, k *key) {
	threads := d.threads(k)
	if e.desc.HasThreads && e.desc.Threads != threads {
		d.failAt(k, fmt.Sprintf("another box of the library says threads = %q", e.desc.Threads), "write the same for all boxes: it is the library's")
		return
	}
	e.desc.Threads, e.desc.HasThreads = threads, true
}

func readRequest(_ *document, e *described, k *key) {
	e.desc.Requests = append(e.desc.Requests, Request{Box: e.box.Name, Key: k.name, TOML: k.val.toml()})
}

// toml writes a value on one line.
func (v *value) toml() string {
	var b strings.Builder
	v.writeTOML(&b)
	return b.String()
}

func (v *value) writeTOML(b *strings.Builder) {
	switch {
	case v.table != nil && len(v.table.keys) == 0:
		b.WriteString("{}")
	case v.table != nil:
		separator := "{ "
		for _, k := range v.table.keys {
			b.WriteString(separator + quoteKey(k.name) + " = ")
			k.val.writeTOML(b)
			separator = ", "
		}
		b.WriteString(" }")
	case v.kind == unstable.Array:
		b.WriteByte('[')
		for i := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			v.items[i].writeTOML(b)
		}
		b.WriteByte(']')
	case v.kind == unstable.String:
		b.WriteString(quote(v.text))
	default:
		b.WriteString(v.text)
	}
}

// checkName refuses names that a host would not show.
func (d *document) checkName(k *key, name string) {
	if name != "" {
		if err := contract.CheckName(name); err != nil {
			d.failAt(k, "its name: "+err.Error(), "give it another name")
		}
	}
}

// CheckSignatures compares the hashes that the library's init gives with its methods
// to what the text says of them (docs/abi.md, "Signatures"). A difference means that
// the two were not made from the same declaration. A nil Description has none.
func (d *Description) CheckSignatures(init abi.Description) (differences Errors) {
	b := d.initBox(init)
	if b == nil {
		return nil
	}
	methods, more := b.methodsByName(), 0
	for _, m := range init.Methods {
		own := methods[m.Name]
		if own == nil || m.Signature == 0 {
			continue
		}
		if hash := sig.Hash(own.Name, own.Signature); hash != m.Signature {
			if len(differences) == maxWarnings {
				more++
				continue
			}
			differences = append(differences, b.doc.newError(own.key.at, own.key.path(),
				fmt.Sprintf("its signature is %s (%#08x), and init gives the method another one (%#08x)", sig.HashText(own.Name, own.Signature), hash, m.Signature),
				"rebuild the library: the two are made from one declaration"))
		}
	}
	return differences.andMore(more)
}

// initBox is the box that init describes, or nil: it names it, or gives its type id, or
// there is no other.
func (d *Description) initBox(init abi.Description) *Box {
	if d == nil {
		return nil
	}
	if init.TypeName != "" {
		b, _ := d.Box(init.TypeName)
		return b
	}
	if i := slices.IndexFunc(d.Boxes, func(b *Box) bool { return b.HasTypeID && b.TypeID == init.TypeID }); i >= 0 {
		return d.Boxes[i]
	}
	if len(d.Boxes) == 1 && init.TypeID == 0 {
		return d.Boxes[0]
	}
	return nil
}

// own finds what the text says of one of nyash.toml's boxes; nil where it has nothing
// on it, and init may.
func (b *Box) own(d *Description, init abi.Description) (*Box, error) {
	if d == nil {
		return nil, nil
	}
	name := b.LibraryName
	hasTable := slices.ContainsFunc(init.Tables, func(t abi.Table) bool { return t.Box == name })
	if own, ok := d.Box(name); ok || name == init.TypeName || d.manifest || hasTable {
		return own, nil
	}
	if len(d.Boxes) == 1 && name == b.Name && len(b.Library.Boxes) == 1 {
		other := d.Boxes[0].Name
		return nil, b.fail("", fmt.Sprintf("the library calls its box %s, and nyash.toml calls it %s", other, name),
			fmt.Sprintf("rename the box to %s, or add box = %q", other, other))
	}
	names := d.boxNames()
	return nil, b.fail("box", fmt.Sprintf("the library has no box %s%s", name, suggest.DidYouMean(name, names)),
		"it has "+listSome(names)+`; box = "…" says which of them this is`)
}
