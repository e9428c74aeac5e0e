package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/permit"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// Config is what a nyash.toml says.
type Config struct {
	Path        string     // of the file, as it was given
	Dir         string     // that relative paths are relative to
	SearchPaths []string   // as written
	Libraries   []*Library // in the order of the file, by their first entries
	Boxes       []*Box     // in the order of the file
	Warnings    Errors     // what is legal and probably a mistake

	boxes map[string]*Box
	doc   *document
}

// Threads says how many calls a library takes at once. String returns the word that
// nyash.toml uses.
type Threads = contract.Threads

const (
	// ThreadsFree allows concurrent calls. It is the default.
	ThreadsFree = contract.ThreadsFree
	// ThreadsSerial makes calls one at a time.
	ThreadsSerial = contract.ThreadsSerial
	// ThreadsPinned makes all calls from one OS thread.
	ThreadsPinned = contract.ThreadsPinned
)

// Library is a shared library that boxes come from. Entries of [plugins] that
// name the same one are one Library; an entry of [libraries] is one by itself.
type Library struct {
	Name    string   // as written: a name, or a path where it holds a separator
	Path    string   // the `path` of the [libraries] form
	Pos     Position // of the first entry
	Threads Threads
	// HasThreads is true where nyash.toml sets Threads; else the library may.
	HasThreads bool
	Unload     bool
	Strict     bool // a signature of the library that contradicts its own text is an error
	// InvokeOnly is true in the [libraries] form: abi, init and shutdown may be
	// missing, and init may take no arguments.
	InvokeOnly bool
	// Uses is what the library may call of its host, without repetitions; empty for nothing.
	Uses      []Use
	Isolation Isolation
	Process   Process // of the worker or module, where there is one
	// Instances is how many modules a WebAssembly library has.
	Instances int
	// Permissions are nil where nyash.toml says nothing of them.
	Permissions    *permit.Permissions
	PermissionsPos Position // of the key or table
	Boxes          []*Box

	usesKey      *key
	instancesKey *key // of a module
}

// Box is a box as nyash.toml declares it. [Box.Bind] makes it complete.
type Box struct {
	Name        string
	LibraryName string // what the library calls it: `box`, or the same
	Doc         string // for people; may be empty
	Library     *Library
	TypeID      uint32
	HasTypeID   bool // else the library says
	Singleton   bool
	// MethodsDeclared is false where the box has no methods table.
	MethodsDeclared bool
	// Methods are those of the methods table without birth and fini, in the order
	// of the file. Those that only the library describes can be called beside
	// them, but for the Hidden ones.
	Methods []*Method
	Hidden  []*Method // of `name = false`: names and places alone
	Birth   *Method   // nil where nyash.toml does not mention it
	Tester  *Tester   // for plugin-tester alone; nil where nyash.toml does not have it
	Pos     Position
	// Mistakes are what is wrong with a box of the [libraries] form: warnings of the file,
	// and the error of [Box.Bind].
	Mistakes Errors

	config *Config
	key    *key
	doc    *document
}

// Method is a method as nyash.toml declares it.
type Method struct {
	Name  string
	ID    uint32
	HasID bool // else the library says
	Signature
	// Leaf is the author's promise that the method returns within microseconds, never blocks
	// and calls nothing of the host but alloc, free, log and wake (docs/abi.md, Leaf methods).
	Leaf bool
	Doc  string // for people; may be empty
	Pos  Position

	key *key
}

// String writes the method for people, as in "open(path string, mode string) → void".
func (m Method) String() string { return m.Name + m.Signature.String() }

// Load reads a nyash.toml. Relative paths in it are relative to its folder.
func Load(path string) (*Config, error) {
	data, err := files.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the configuration: %w; a host needs a nyash.toml that declares its plugins (docs/nyash-toml.md)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data)
}

// maxFile is the largest nyash.toml that is read, in bytes.
const maxFile = 64 << 20

// Parse is [Load] for a file that is in memory. Errors call it name, and paths
// are relative to name's folder. The error is an [Errors].
func Parse(name string, data []byte) (*Config, error) {
	d := newDocument(name, data)
	c := &Config{Path: name, Dir: filepath.Dir(name), boxes: make(map[string]*Box), doc: d}
	if root, ok := d.tree(); ok {
		d.config(c, root)
	}
	if len(d.errs) > 0 {
		return nil, d.errs.inOrder()
	}
	d.checkInstances(c.Libraries)
	c.Warnings = d.allWarnings()
	return c, nil
}

// Box finds a box by name.
func (c *Config) Box(name string) (*Box, bool) {
	b, ok := c.boxes[name]
	return b, ok
}

var topLevel = withLater([]field[*Config]{
	{name: "plugin_paths", read: readPluginPaths},
	{name: "plugins", read: readPlugins},
	{name: "libraries", read: readLibraries},
}, later.file)

func (d *document) config(c *Config, root *table) {
	read(d, root, c, topLevel, func(k *key) {
		// Other tables belong to other tools, unless it is one of ours with a
		// slip of the pen.
		if near := suggest.Nearest(k.name, names(topLevel)); near != "" && suggest.Distance(near, k.name) <= 2 {
			d.warn(k.at, k.path(), "this table is ignored", "did you mean "+near+"?")
		}
	})
	d.checkTypeIDs(c)
	d.checkLibraries(c)
	d.checkAliases(c)
	for _, l := range c.Libraries {
		if l.Threads == ThreadsPinned {
			d.checkLeaves(l.Boxes)
		}
	}
	for _, b := range c.Boxes {
		d.checkReturnsOf(b, c.boxes, "the name of a box in this file")
	}
}

var pluginPathFields = []field[*Config]{
	{name: "search_paths", read: func(d *document, c *Config, k *key) {
		c.SearchPaths = d.texts(k, "./plugins/*/build")
		for i := range k.val.items {
			d.checkShown(k, &k.val.items[i])
		}
	}},
}

func readPluginPaths(d *document, c *Config, k *key) {
	if d.want(k, unstable.InlineTable, `{ search_paths = ["./plugins"] }`) {
		read(d, k.val.table, c, pluginPathFields, nil)
	}
}

// readPlugins reads [plugins]: a box for each key.
func readPlugins(d *document, c *Config, k *key) {
	if !d.want(k, unstable.InlineTable, `{ FileBox = "nyash-filebox-plugin" }`) {
		return
	}
	for _, k := range k.val.table.keys {
		d.plugin(c, k)
	}
}

// plugin is one entry of [plugins] while it is read.
type plugin struct {
	box *Box
	// library is a copy of first while the entry is read, where there is one: what
	// changes it is a setting that differs.
	library *Library
	first   *Library // of an earlier entry with the same library; nil for none
}

var pluginFields = slices.Concat(
	[]field[*plugin]{
		{name: "library", read: func(d *document, p *plugin, k *key) { p.library.Name = d.file(k, "nyash-filebox-plugin") }},
		{name: "box", read: func(d *document, p *plugin, k *key) { p.box.LibraryName = d.file(k, "FileBox") }},
	},
	shared(settingFields),
	lift(boxFields, func(p *plugin) *Box { return p.box }),
	shared(processFields),
	shared(moduleFields))

// settingFields are the keys that say how a library is called, in either form.
var settingFields = []field[*Library]{
	{name: "threads", read: func(d *document, l *Library, k *key) { l.Threads, l.HasThreads = d.threads(k), true }},
	{name: "unload", read: func(d *document, l *Library, k *key) { l.Unload = d.boolean(k) }},
	{name: "strict", read: func(d *document, l *Library, k *key) { l.Strict = d.boolean(k) }},
	{name: "uses", read: readUses},
}

// shared lets the keys of a library stand in the entries of all its boxes. The
// first entry decides; a later one may repeat a setting, not change it.
func shared(fields []field[*Library]) []field[*plugin] {
	all := make([]field[*plugin], len(fields))
	for i, f := range fields {
		all[i] = field[*plugin]{name: f.name, read: func(d *document, p *plugin, k *key) {
			before, errs := *p.library, len(d.errs)
			f.read(d, p.library, k)
			if p.first != nil && len(d.errs) == errs && !p.library.runsLike(&before) {
				d.otherSetting(p.first, k)
				*p.library = before
			}
			if p.first != nil { // a later entry may be the one that repeats the default
				p.first.HasThreads = p.first.HasThreads || p.library.HasThreads
			}
		}}
	}
	return all
}

// runsLike tells whether the settings of two libraries are the same.
func (l *Library) runsLike(other *Library) bool {
	return l.Threads == other.Threads && l.Unload == other.Unload && l.Strict == other.Strict && l.Isolation == other.Isolation &&
		l.Instances == other.Instances && sameUses(l.Uses, other.Uses) &&
		reflect.DeepEqual(l.Permissions, other.Permissions) && reflect.DeepEqual(l.Process, other.Process)
}

func (d *document) otherSetting(first *Library, k *key) {
	entry := first.Boxes[0]
	at, how := entry.key.child(k.name), "sets it otherwise"
	if at == entry.key {
		how = "leaves it out"
	}
	d.failAt(k, fmt.Sprintf("%s %s for the same library %s (line %d)", entry.Name, how, first.Name, at.line(d)), fmt.Sprintf("write it in %s's entry: its settings are those of all boxes of the library", entry.Name))
}

func (d *document) plugin(c *Config, k *key) {
	p := &plugin{box: d.newBox(c, k), library: &Library{Pos: d.position(k.at), Process: defaultProcess(), Instances: 1}}
	if l := d.plugins[libraryName(k)]; l != nil {
		copied := *l
		p.first, p.library = l, &copied
	}
	switch {
	case k.val.kind == unstable.String:
		p.library.Name = d.file(k, "nyash-filebox-plugin")
	case k.val.table != nil:
		read(d, k.val.table, p, pluginFields, nil)
		if k.val.table.get("library") == nil {
			d.failAt(k, "it names no library", `add library = "a name or path"`)
		}
	default:
		d.failAt(k, fmt.Sprintf("a plugin is a library's name or a table, and this is %s", kindNames[k.val.kind]), fmt.Sprintf(`write %s = "library" or [plugins.%s]`, k.name, k.name))
	}
	d.checkProcess(k, p.library)
	d.checkModule(k, p.library)
	if p.first != nil {
		d.addBox(c, p.first, p.box)
		return
	}
	d.addLibrary(c, p.library, p.box)
	if p.library.Name != "" {
		d.plugins[p.library.Name] = p.library
	}
}

// libraryName is the library that an entry of [plugins] names; empty where that
// is not said as it should be.
func libraryName(k *key) string {
	v := &k.val
	if v.table != nil {
		name := v.table.get("library")
		if name == nil {
			return ""
		}
		v = &name.val
	}
	if v.kind != unstable.String {
		return ""
	}
	return v.text
}

func (d *document) addLibrary(c *Config, l *Library, boxes ...*Box) {
	c.Libraries = append(c.Libraries, l)
	for _, b := range boxes {
		d.addBox(c, l, b)
	}
}

func (d *document) addBox(c *Config, l *Library, b *Box) {
	b.Library = l
	other, taken := c.boxes[b.Name]
	if taken && l.InvokeOnly {
		d.warn(b.key.at, b.key.path(), fmt.Sprintf("the box %s is given already on line %d", b.Name, other.Pos.Line), "this one is ignored")
		return
	}
	l.Boxes = append(l.Boxes, b)
	if taken {
		d.failAt(b.key, fmt.Sprintf("the box %s is given already on line %d", b.Name, other.Pos.Line), "keep one of the two; "+otherNameAdvice(b.key))
		return
	}
	c.boxes[b.Name] = b
	c.Boxes = append(c.Boxes, b)
}

func (d *document) threads(k *key) Threads {
	word := d.text(k, "serial")
	if t, ok := contract.ParseThreads(word); ok || word == "" {
		return t
	}
	d.fail(k.val.at, k.path(), fmt.Sprintf("invalid threads value %q", word),
		"write \"free\" (concurrent calls), \"serial\" (one at a time) or \"pinned\" (all from one OS thread)")
	return ThreadsFree
}

// library of the [libraries] form, while it is read.
type libraryEntry struct {
	library Library
	listed  []string
}

var libraryFields = withLater(append([]field[*libraryEntry]{
	{name: "boxes", read: func(d *document, l *libraryEntry, k *key) { l.listed = d.texts(k, "FileBox") }},
	{name: "path", read: func(d *document, l *libraryEntry, k *key) { l.library.Path = d.file(k, "plugins/libx.so") }},
}, lift(slices.Concat(settingFields, processFields, moduleFields), func(l *libraryEntry) *Library { return &l.library })...), later.box)

func readLibraries(d *document, c *Config, k *key) {
	if !d.want(k, unstable.InlineTable, `{ … }`) {
		return
	}
	for _, k := range k.val.table.keys {
		d.library(c, k)
	}
}

func (d *document) library(c *Config, k *key) {
	if k.val.kind != unstable.InlineTable {
		d.warn(k.val.at, k.path(), "a library is a table, and this is "+kindNames[k.val.kind], `write { boxes = ["FileBox"], path = "…" }`)
		return
	}
	before := len(d.errs)
	l := &libraryEntry{library: Library{Name: k.name, Pos: d.position(k.at), InvokeOnly: true, Process: defaultProcess(), Instances: 1}}
	d.checkName(k, k.name)
	var boxes []*Box
	hasList := k.val.table.get("boxes") != nil
	read(d, k.val.table, l, libraryFields, func(sub *key) {
		listed := slices.Contains(l.boxNames(k), sub.name)
		settings := names(libraryFields)
		if sub.val.table == nil || hasList && !listed && suggest.Nearest(sub.name, settings) != "" {
			d.unknown(sub, append(settings, l.boxNames(k)...))
			return
		}
		own := len(d.errs)
		b := d.newBox(c, sub)
		read(d, sub.val.table, b, libraryBoxFields, nil)
		if hasList && !listed {
			d.failAt(sub, "the box is not in the library's boxes"+suggest.DidYouMean(sub.name, l.boxNames(k)), "add it to boxes")
		}
		b.Mistakes = d.demote(own)
		boxes = append(boxes, b)
	})
	// A box that is listed and has no table is what the library describes.
	for _, name := range l.listed {
		if k.val.table.get(name) == nil {
			own := len(d.errs)
			b := d.newBox(c, emptyTable(name, k.val.table.get("boxes").at, k))
			b.Mistakes = d.demote(own)
			boxes = append(boxes, b)
		}
	}
	if len(boxes) == 0 && len(d.errs) == before {
		d.failAt(k, "it provides no box", `add boxes = ["FileBox"]`)
	}
	d.checkProcess(k, &l.library)
	d.checkModule(k, &l.library)
	// What is wrong with the library concerns all its boxes.
	mistakes := d.demote(before)
	for _, b := range boxes {
		b.Mistakes = append(b.Mistakes, mistakes...)
	}
	d.addLibrary(c, &l.library, boxes...)
}

// demote makes warnings of the errors from one on. Files of the [libraries] form hold
// mistakes, each of which costs no more than the box that it is about.
func (d *document) demote(from int) Errors {
	if len(d.errs) == from {
		return nil
	}
	mistakes := slices.Clone(d.errs[from:])
	for _, e := range mistakes {
		if d.warns() {
			d.warnings = append(d.warnings, e)
		}
	}
	d.errs = d.errs[:from]
	return mistakes
}

// failBoxes reports an error that is about boxes of one library; in the [libraries] form
// as demote does.
func (d *document) failBoxes(boxes []*Box, k *key, msg, advice string) {
	before := len(d.errs)
	d.failAt(k, msg, advice)
	if l := boxes[0].Library; l != nil && l.InvokeOnly {
		mistakes := d.demote(before)
		for _, b := range boxes {
			b.Mistakes = append(b.Mistakes, mistakes...)
		}
	}
}

// boxNames is the list of boxes, which may stand behind the tables of the boxes
// in the file.
func (l *libraryEntry) boxNames(k *key) []string {
	if list := k.val.table.get("boxes"); l.listed == nil && list != nil && list.val.kind == unstable.Array {
		for _, item := range list.val.items {
			if item.kind == unstable.String {
				l.listed = append(l.listed, item.text)
			}
		}
	}
	return l.listed
}

// checkTypeIDs finds boxes of one library that share a type id.
func (d *document) checkTypeIDs(c *Config) {
	byLibrary := make(map[string][]*Box, len(c.Libraries)) // which two entries may name
	for _, b := range c.Boxes {
		byLibrary[b.Library.Name] = append(byLibrary[b.Library.Name], b)
	}
	for _, boxes := range byLibrary {
		d.uniqueTypeIDs(boxes, func(b *Box, k *key, msg, advice string) { d.failBoxes([]*Box{b}, k, msg, advice) })
	}
}

// uniqueTypeIDs reports the boxes of one library whose type id another has already. A box that
// cannot be used has none.
func (d *document) uniqueTypeIDs(boxes []*Box, report func(b *Box, k *key, msg, advice string)) {
	seen := make(map[uint32]*Box, len(boxes))
	for _, b := range boxes {
		if !b.HasTypeID || len(b.Mistakes) > 0 {
			continue
		}
		other := seen[b.TypeID]
		if other == nil {
			seen[b.TypeID] = b
			continue
		}
		report(b, b.key.child("type_id"), fmt.Sprintf("type_id %d is %s's already (line %d)", b.TypeID, other.Name, other.key.child("type_id").line(d)),
			"give each box of a library an id of its own")
	}
}

// checkLibraries finds entries of the two forms that use one library in ways
// that exclude each other.
func (d *document) checkLibraries(c *Config) {
	seen := make(map[string]*Library, len(c.Libraries))
	for _, l := range c.Libraries {
		other := seen[l.Name]
		if other == nil {
			seen[l.Name] = l
			continue
		}
		if (l.Threads != other.Threads || l.Unload != other.Unload || !sameUses(l.Uses, other.Uses)) && len(l.Boxes) > 0 {
			d.failBoxes(l.Boxes, l.Boxes[0].key, fmt.Sprintf("the library %s is used with other settings on line %d", l.Name, other.Pos.Line), "write the same threads, unload and uses in both entries")
		}
	}
}

// leafPinned is what is wrong with a leaf method of a library with threads = "pinned".
const leafPinned = `a leaf method is called on the thread of its caller, and threads = "pinned" has all calls from one thread`

// checkLeaves finds leaf methods among the boxes of a pinned library.
func (d *document) checkLeaves(boxes []*Box) {
	for _, b := range boxes {
		for _, m := range b.Methods {
			if m.Leaf {
				d.failAt(m.key.child("leaf"), leafPinned, "leave one of the two out")
			}
		}
	}
}

// checkAliases finds boxes of nyash.toml that are one box of a library.
func (d *document) checkAliases(c *Config) {
	for _, l := range c.Libraries {
		seen := make(map[string]*Box, len(l.Boxes))
		for _, b := range l.Boxes {
			if other := seen[b.LibraryName]; other != nil {
				d.failAt(b.key.child("box"), fmt.Sprintf("%s is %s's box %s already (line %d)", other.Name, l.Name, b.LibraryName, other.Pos.Line), "keep one of the two")
				continue
			}
			seen[b.LibraryName] = b
		}
	}
}

// checkReturnsOf finds results that are of a box which is not among the boxes; known
// says what those are.
func (d *document) checkReturnsOf(b *Box, boxes map[string]*Box, known string) {
	for _, m := range b.Methods {
		if name := m.Returns.Box; name != "" && boxes[name] == nil {
			near := ""
			if len(d.errs)+len(d.warnings) < shown { // comparing with all names costs more than finding the error
				near = suggest.DidYouMean(name, append(sig.ReturnsNames(), slices.Sorted(maps.Keys(boxes))...))
			}
			d.failBoxes([]*Box{b}, m.key.child("returns"), fmt.Sprintf("%q is neither a type nor a box%s", name, near), "write void, bool, i32, i64, f32, f64, string, bytes, handle, blob, or "+known)
		}
	}
}

func (k *key) line(d *document) int { return d.position(k.at).Line }

// isPath tells a path from a name.
func isPath(s string) bool {
	return strings.ContainsRune(s, '/') || strings.ContainsRune(s, filepath.Separator) || s == ManifestName
}
