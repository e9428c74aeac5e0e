package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// ManifestName is the file that lies beside a library with TypeBox tables and declares its
// boxes (docs/nyash-toml.md, "nyash_box.toml").
const ManifestName = "nyash_box.toml"

// maxManifest is the largest manifest that is read, in bytes; as large as a library's
// text on itself.
const maxManifest = 1 << 20

// LoadManifest reads the nyash_box.toml in a folder. The Description is nil where there
// is none. The error is an [Errors], or says why the file could not be read.
func LoadManifest(dir string) (*Description, error) {
	path := filepath.Join(dir, ManifestName)
	data, err := files.ReadRegular(path, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	return ParseManifest(path, data)
}

// NoManifest stands for the nyash_box.toml of a folder that has none: a Description without
// boxes, with which the errors of [Box.Bind] say where the file was looked for.
func NoManifest(dir string) *Description {
	path := filepath.Join(dir, ManifestName)
	return &Description{Library: path, manifest: true, manifestPath: path, noManifest: true}
}

// artifact is the library that a manifest names for this system.
func artifact(path string) (string, error) {
	m, err := LoadManifest(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	if m != nil && len(m.artifactMistakes) > 0 {
		return "", m.artifactMistakes
	}
	if m == nil || m.Artifact == "" {
		return "", fmt.Errorf("%s names no library for %s; add [artifacts] with a path that is relative to it", path, runtime.GOOS)
	}
	file := m.Artifact
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(path), file)
	}
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("%s names the library %s, which is not there; build it, or correct [artifacts]: %w", path, file, err)
	}
	return file, nil
}

// ParseManifest is [LoadManifest] for a file that is in memory. Errors call it path.
//
// What is wrong with one box is a warning of the file, and the error of [Box.Bind] for that
// box. The text is no more trusted than [ParseDescription]'s.
func ParseManifest(path string, data []byte) (*Description, error) {
	d := newDocument(path, data)
	d.manifest = true
	m := &manifest{desc: &Description{Library: path, boxes: make(map[string]*Box), manifest: true, manifestPath: path}}
	if root, ok := d.tree(); ok {
		d.readManifest(m, root)
	}
	if len(d.errs) > 0 {
		return nil, d.errs.inOrder()
	}
	m.desc.Warnings = d.allWarnings()
	return m.desc, nil
}

// Unresolved lists the methods of the box whose ids neither nyash.toml nor the manifest,
// which may be nil, gives: a TypeBox table may know them.
func (b *Box) Unresolved(manifest *Description) []string {
	methods := b.Methods
	if m, ok := manifest.Box(b.LibraryName); ok {
		methods = slices.Concat(methods, m.Methods)
	}
	var names []string
	seen := make(map[string]bool)
	for _, m := range methods {
		if !m.HasID && !seen[m.Name] {
			seen[m.Name] = true
			names = append(names, m.Name)
		}
	}
	return names
}

// manifest is a nyash_box.toml while it is read.
type manifest struct {
	desc   *Description
	boxes  *key
	listed []string
}

var manifestFields = []field[*manifest]{
	{name: "provides", read: func(d *document, m *manifest, k *key) {
		if d.want(k, unstable.InlineTable, `{ boxes = ["MapBox"] }`) {
			read(d, k.val.table, m, providesFields, ignoring(d, providesFields))
		}
	}},
	{name: "artifacts", read: func(d *document, m *manifest, k *key) {
		before := len(d.errs)
		if d.want(k, unstable.InlineTable, `{ linux = "libx.so" }`) {
			read(d, k.val.table, m, artifactFields, ignoring(d, artifactFields))
		}
		m.desc.artifactMistakes = append(m.desc.artifactMistakes, d.demote(before)...)
	}},
	forPeople("box", `{ name = "Map" }`),
	forPeople("implementation", `{ language = "c" }`),
}

// forPeople is a table that is not used.
func forPeople(name, example string) field[*manifest] {
	return field[*manifest]{name: name, read: func(d *document, _ *manifest, k *key) {
		before := len(d.errs)
		d.want(k, unstable.InlineTable, example)
		_ = d.demote(before)
	}}
}

// ignoring is for [read]: it warns of a key that says nothing of the boxes.
func ignoring[T any](d *document, fields []field[T]) func(*key) {
	return func(k *key) {
		if d.warns() {
			before := len(d.errs)
			d.unknown(k, names(fields))
			_ = d.demote(before)
		}
	}
}

var providesFields = []field[*manifest]{
	{name: "boxes", read: func(d *document, m *manifest, k *key) {
		m.boxes = k
		if d.tooManyBoxes(k, len(k.val.items)) {
			return
		}
		before := len(d.errs)
		m.listed = d.texts(k, "MapBox")
		if len(m.listed) > 0 { // what is wrong with the others does not concern them
			_ = d.demote(before)
		}
	}},
}

// artifactSystems are the words of [artifacts] for runtime.GOOS.
var artifactSystems = map[string]string{"linux": "linux", "macos": "darwin", "windows": "windows"}

var artifactFields = []field[*manifest]{
	artifactField("linux"), artifactField("macos"), artifactField("windows"),
}

func artifactField(system string) field[*manifest] {
	return field[*manifest]{name: system, read: func(d *document, m *manifest, k *key) {
		before := len(d.errs)
		file := d.file(k, "libx.so")
		if mistakes := d.demote(before); artifactSystems[system] == runtime.GOOS {
			m.desc.Artifact, m.desc.artifactMistakes = file, mistakes
		}
	}}
}

// readManifest reads the file: the boxes that it lists, each in a table of its name.
func (d *document) readManifest(m *manifest, root *table) {
	var boxes []*key
	read(d, root, m, manifestFields, func(k *key) { boxes = append(boxes, k) })
	if m.boxes == nil && len(d.errs) == 0 {
		d.fail(0, "", "it provides no box", "add [provides] with boxes = ["+boxTables(boxes)+"]")
	}
	listed := make(map[string]bool, len(m.listed))
	for _, name := range m.listed {
		listed[name] = true
	}
	for _, k := range boxes {
		switch {
		case listed[k.name]:
			d.manifestBox(m.desc, k)
		case d.warns():
			d.unlisted(k, m.listed)
		}
	}
	for _, name := range m.listed {
		if m.desc.boxes[name] == nil {
			d.manifestBox(m.desc, emptyTable(name, m.boxes.at, nil))
		}
	}
	d.uniqueTypeIDs(m.desc.Boxes, func(b *Box, k *key, msg, advice string) {
		before := len(d.errs)
		d.failAt(k, msg, advice)
		b.Mistakes = append(b.Mistakes, d.demote(before)...)
	})
}

// boxTables are the names of the tables of a manifest that may be boxes, as TOML.
func boxTables(keys []*key) string {
	var all []string
	for _, k := range keys {
		if k.val.table != nil && suggest.Nearest(k.name, names(manifestFields)) == "" {
			all = append(all, quote(k.name))
		}
	}
	if len(all) == 0 {
		return `"MapBox"`
	}
	return listSome(all)
}

// unlisted warns of a table that is not of a box in provides.boxes.
func (d *document) unlisted(k *key, listed []string) {
	msg, advice := "this table is ignored", "list the box in provides.boxes"
	near := suggest.Nearest(k.name, append(names(manifestFields), listed...))
	switch {
	case slices.Contains(names(manifestFields), near):
		advice = "did you mean " + near + "?"
	case near != "":
		msg += " (did you mean " + near + "?)"
	}
	d.warn(k.at, k.path(), msg, advice)
}

func (d *document) manifestBox(desc *Description, k *key) {
	before := len(d.errs)
	b := d.newBox(nil, k)
	if d.want(k, unstable.InlineTable, "{ type_id = 11 }") {
		read(d, k.val.table, b, manifestBoxFields, nil)
	}
	b.Mistakes = d.demote(before)
	desc.Boxes = append(desc.Boxes, b)
	desc.boxes[b.Name] = b
}

var manifestBoxFields = []field[*Box]{
	{name: "type_id", read: func(d *document, b *Box, k *key) { b.TypeID, b.HasTypeID = d.id(k) }},
	{name: "abi_version", read: readABIVersion},
	{name: "singleton", read: func(d *document, b *Box, k *key) { b.Singleton = d.boolean(k) }},
	{name: "doc", read: func(d *document, b *Box, k *key) { b.Doc = d.doc(k) }},
	{name: "lifecycle", read: readLifecycle},
	{name: "methods", read: readManifestMethods},
}

// readLifecycle reads birth and fini, whose ids are known.
func readLifecycle(d *document, b *Box, k *key) {
	if !d.want(k, unstable.InlineTable, "{ birth = { id = 0 } }") {
		return
	}
	for _, k := range k.val.table.keys {
		if k.name != abi.NameBirth && k.name != abi.NameFini {
			d.unknown(k, []string{abi.NameBirth, abi.NameFini})
			continue
		}
		if m := d.manifestMethod(k); m != nil && m.Name == abi.NameBirth {
			b.Birth = m
		}
	}
}

func readManifestMethods(d *document, b *Box, k *key) {
	if !d.want(k, unstable.InlineTable, "{ get = { id = 1 } }") {
		return
	}
	if d.tooManyMethods(k) {
		return
	}
	b.MethodsDeclared = true
	ids := make(map[uint32]*Method)
	for _, k := range k.val.table.keys {
		m := d.manifestMethod(k)
		switch {
		case m == nil || m.Name == abi.NameFini:
			continue
		case m.Name == abi.NameBirth:
			b.Birth = m
			continue
		case m.HasID && ids[m.ID] != nil:
			d.warn(k.at, k.path(), fmt.Sprintf("id %d is %s's already (line %d)", m.ID, ids[m.ID].Name, ids[m.ID].Pos.Line), "both names call the same method")
		}
		ids[m.ID] = m
		b.Methods = append(b.Methods, m)
	}
}

func (d *document) manifestMethod(k *key) *Method {
	if !d.want(k, unstable.InlineTable, "{ id = "+k.val.id("1")+" }") {
		return nil
	}
	if k.name == "" {
		d.failAt(k, "a method's name is empty", "give the method a name")
	}
	d.checkName(k, k.name)
	m := &Method{Name: k.name, Pos: d.position(k.at), key: k}
	read(d, k.val.table, m, manifestMethodFields, nil)
	d.reservedID(m)
	return m
}

var manifestMethodFields = []field[*Method]{
	{name: "id", read: func(d *document, m *Method, k *key) { m.ID, m.HasID = d.id(k) }},
	{name: "args", read: readManifestArgs},
	{name: "returns", read: readManifestReturns},
	{name: "doc", read: func(d *document, m *Method, k *key) { m.Doc = d.doc(k) }},
	{name: "description", read: func(d *document, m *Method, k *key) { m.Doc = d.doc(k) }},
}

// manifestTypes are the words for types in a manifest. What is not declared travels as
// its own type.
var manifestTypes = map[string]Arg{
	"string":  {From: sig.String, To: tlv.TagString},
	"i64":     {From: sig.Integer, To: tlv.TagInt64},
	"i32":     {From: sig.Integer, To: tlv.TagInt32},
	"f64":     {From: sig.Float, To: tlv.TagFloat64},
	"bool":    {From: sig.Bool, To: tlv.TagBool},
	"bytes":   {From: sig.Bytes, To: tlv.TagBytes},
	"box":     {From: sig.Box, To: tlv.TagHandle},
	"void":    {To: tlv.TagVoid},
	"dict":    {},
	"varargs": {},
}

var (
	manifestTypeNames   = []string{"string", "i64", "i32", "f64", "bool", "bytes", "box", "void", "varargs", "dict"}
	manifestResultNames = []string{"string", "i64", "i32", "f64", "bool", "bytes", "box", "void", "dict"}
)

// manifestArg is an argument of a manifest while it is read.
type manifestArg struct {
	Arg
	word string
	def  *key
}

var manifestArgFields = []field[*manifestArg]{
	{name: "name", read: func(d *document, a *manifestArg, k *key) { a.Name = d.text(k, "key") }},
	{name: "type", read: func(d *document, a *manifestArg, k *key) { a.word = d.manifestType(k, manifestTypeNames) }},
	{name: "optional", read: func(d *document, a *manifestArg, k *key) { a.Optional = d.boolean(k) }},
	{name: "default", read: func(_ *document, a *manifestArg, k *key) { a.def = k }},
	{name: "doc", read: func(d *document, a *manifestArg, k *key) { a.Doc = d.doc(k) }},
	{name: "description", read: func(d *document, a *manifestArg, k *key) { a.Doc = d.doc(k) }},
}

func (d *document) manifestType(k *key, known []string) string {
	word := d.text(k, "string")
	switch {
	case slices.Contains(known, word):
	case slices.Contains(manifestTypeNames, word):
		d.fail(k.val.at, k.path(), fmt.Sprintf("a result cannot be %s", word), "known: "+list(known))
	default:
		d.wrongWord(k, word, known, "not a type")
	}
	return word
}

func readManifestArgs(d *document, m *Method, k *key) {
	if !d.want(k, unstable.Array, `[ { name = "key", type = "string" } ]`) {
		return
	}
	if d.tooManyArgs(k) {
		return
	}
	m.ArgsDeclared = true
	seen := make(map[string]bool, len(k.val.items))
	for i := range k.val.items {
		item := &k.val.items[i]
		if m.Variadic {
			d.fail(item.at, k.path(), "an argument behind varargs", "varargs are the last")
			return
		}
		a := d.manifestArgument(k, i, item)
		if a.word == "void" {
			d.fail(item.at, k.path(), "an argument cannot be void", "write a type, or leave type out")
		}
		if seen[a.Name] {
			d.fail(item.at, k.path(), fmt.Sprintf("two arguments are called %s", a.Name), "give each argument a name of its own")
		}
		seen[a.Name] = true
		if a.word == "varargs" {
			m.Variadic = true
			continue
		}
		if last := len(m.Args) - 1; last >= 0 && mayBeLeftOut(m.Args[last]) && !mayBeLeftOut(a.Arg) {
			d.fail(item.at, k.path(), fmt.Sprintf("%s must be given, and %s before it may be left out", a.Name, m.Args[last].Name), "arguments are left out at the end")
		}
		m.Args = append(m.Args, a.Arg)
	}
}

func mayBeLeftOut(a Arg) bool { return a.Optional || a.Default != nil }

func (d *document) manifestArgument(args *key, i int, item *value) *manifestArg {
	a := &manifestArg{}
	switch {
	case item.kind == unstable.String && item.text != "":
		a.Name = item.text
	case item.table == nil:
		d.fail(item.at, args.path(), fmt.Sprintf("argument %d must be a table or a name", i+1), `write { name = "key", type = "string" } or "key"`)
	default:
		errs := len(d.errs)
		read(d, item.table, a, manifestArgFields, nil)
		t := manifestTypes[a.word]
		a.From, a.To = t.From, t.To
		if a.def != nil && len(d.errs) == errs {
			a.Default = d.defaultValue(a)
		}
	}
	if a.Name == "" {
		a.Name = "argument " + strconv.Itoa(i+1)
	}
	d.checkName(args, a.Name)
	return a
}

// defaultValue is what stands for an argument that is left out. It is checked as an argument
// of a call is.
func (d *document) defaultValue(a *manifestArg) any {
	val := &a.def.val
	v, kind := val.plain()
	if kind == sig.Any || !a.From.Takes(kind) || a.word == "varargs" {
		d.fail(val.at, a.def.path(), fmt.Sprintf("%s cannot stand for an argument of type %s", kindNames[val.kind], a.word), "write a value of that type")
		return nil
	}
	wrong, advice := "", ""
	switch x := v.(type) {
	case string:
		if len(x) > tlv.MaxPayload {
			wrong, advice = fmt.Sprintf("it has %d bytes, and an argument has at most %d", len(x), tlv.MaxPayload), "write a shorter one"
		}
	case int64:
		f := float64(x)
		switch {
		case a.To == tlv.TagInt32 && x != int64(int32(x)):
			wrong, advice = fmt.Sprintf("%d does not fit an i32", x), "write a smaller number, or another type"
		case a.To == tlv.TagFloat64 && (f >= 1<<63 || int64(f) != x):
			wrong, advice = fmt.Sprintf("%d has no exact f64", x), "write a number that has, or another type"
		case a.To == tlv.TagFloat64:
			v = f
		}
	case float64:
		if math.IsInf(x, 0) && !strings.Contains(val.text, "inf") {
			wrong, advice = val.text+" does not fit an f64", "write a smaller number, or inf"
		}
	}
	if wrong != "" {
		d.fail(val.at, a.def.path(), wrong, advice)
		return nil
	}
	return v
}

// plain is the value of a scalar, which the parser has checked, and sig.Any for none that an
// argument can have.
func (v *value) plain() (any, sig.Kind) {
	switch v.kind {
	case unstable.String:
		return v.text, sig.String
	case unstable.Bool:
		return v.text == "true", sig.Bool
	case unstable.Integer:
		n, _ := strconv.ParseInt(strings.TrimPrefix(v.text, "+"), 0, 64)
		return n, sig.Integer
	case unstable.Float:
		f, _ := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64) // too large a one is infinite
		return f, sig.Float
	}
	return nil, sig.Any
}

// manifestReturns is `returns` as a table.
type manifestReturns struct {
	Returns
	failed bool // there is an error type
}

var manifestReturnsFields = []field[*manifestReturns]{
	{name: "type", read: func(d *document, r *manifestReturns, k *key) {
		r.Returns = Returns{Tag: manifestTypes[d.manifestType(k, manifestResultNames)].To}
	}},
	{name: "error", read: func(d *document, r *manifestReturns, k *key) {
		if k.val.kind == unstable.Bool {
			r.failed = k.val.text == "true"
			return
		}
		d.text(k, "string")
		r.failed = true
	}},
	{name: "doc", read: func(d *document, _ *manifestReturns, k *key) { d.doc(k) }},
	{name: "description", read: func(d *document, _ *manifestReturns, k *key) { d.doc(k) }},
}

func readManifestReturns(d *document, m *Method, k *key) {
	if k.val.kind == unstable.String {
		m.Returns = Returns{Tag: manifestTypes[d.manifestType(k, manifestResultNames)].To}
		return
	}
	if !d.want(k, unstable.InlineTable, `{ type = "string" }`) {
		return
	}
	var r manifestReturns
	read(d, k.val.table, &r, manifestReturnsFields, nil)
	m.Returns, m.ReturnsResult = r.Returns, r.failed
	if r.failed && r.Tag == tlv.TagString {
		d.warn(k.at, k.path(), "a string that the method returns is its error, and so never its result", "leave error out where it answers errors with a code")
	}
}
