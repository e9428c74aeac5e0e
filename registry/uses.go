package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// Use is an entry of `uses`: a box that a library may call, or one method of it.
type Use struct {
	Box    string
	Method string // empty for the whole box
	Pos    Position
}

// String writes the entry as it stands in nyash.toml, Box or Box.method.
func (u Use) String() string {
	if u.Method == "" {
		return u.Box
	}
	return u.Box + "." + u.Method
}

// Covers tells whether u permits what other asks for.
func (u Use) Covers(other Use) bool {
	return u.Box == other.Box && (u.Method == "" || u.Method == other.Method)
}

// readUses reads `uses` of a library.
func readUses(d *document, l *Library, k *key) { l.Uses, l.usesKey = d.uses(k), k }

// readDescribedUses reads `uses` of a self-description, which is a request.
func readDescribedUses(d *document, e *described, k *key) {
	readRequest(d, e, k)
	e.desc.Uses = append(e.desc.Uses, d.uses(k)...)
}

// uses reads a list of boxes and methods.
func (d *document) uses(k *key) []Use {
	if !d.want(k, unstable.Array, `["ConsoleBox", "CounterBox.get"]`) {
		return nil
	}
	items := k.val.items
	all := make([]Use, 0, len(items))
	seen := make(map[string]bool, len(items))
	for i := range items {
		u, ok := d.use(k, &items[i])
		switch {
		case !ok:
		case seen[u.String()]:
			d.warn(items[i].at, k.path(), quote(u.String())+" is listed already", "leave it out")
		default:
			seen[u.String()] = true
			all = append(all, u)
		}
	}
	for _, u := range all {
		if u.Method != "" && seen[u.Box] {
			d.warn(d.offset(u.Pos), k.path(), fmt.Sprintf("%s adds nothing beside %s, which is the whole box", quote(u.String()), quote(u.Box)), "leave one of the two out")
		}
	}
	return all
}

// use reads one entry; ok is false for one that it reports.
func (d *document) use(k *key, item *value) (u Use, ok bool) {
	if item.kind != unstable.String || item.text == "" {
		d.fail(item.at, k.path(), "its entries must be strings that are not empty", `write uses = ["ConsoleBox", "CounterBox.get"]`)
		return u, false
	}
	box, method, dotted := strings.Cut(item.text, ".")
	text := quote(item.text)
	switch {
	case box != "" && strings.Contains(method, ":"):
		d.notYet(item.at, k, text+" is ")
		return u, false
	case box == "*" || method == "*":
		d.fail(item.at, k.path(), text+" is a pattern, and there are none here", `write "Box" for a whole box or "Box.method" for one of its methods`)
		return u, false
	case box == "", dotted && method == "", strings.Contains(method, "."), strings.TrimSpace(box) != box, strings.TrimSpace(method) != method:
		d.fail(item.at, k.path(), text+" is neither a box nor a method of one", `write "Box" for a whole box or "Box.method" for one of its methods`)
		return u, false
	}
	errs := len(d.errs)
	d.checkName(k, box)
	if dotted {
		d.checkName(k, method)
	}
	return Use{Box: box, Method: method, Pos: d.position(item.at)}, len(d.errs) == errs
}

// uniqueUses leaves out what another entry covers, as where several boxes of a library ask
// for the same.
func uniqueUses(all []Use) []Use {
	whole := make(map[string]bool)
	for _, u := range all {
		whole[u.Box] = whole[u.Box] || u.Method == ""
	}
	seen := make(map[string]bool, len(all))
	return slices.DeleteFunc(all, func(u Use) bool {
		covered := seen[u.String()] || u.Method != "" && whole[u.Box]
		seen[u.String()] = true
		return covered
	})
}

// sameUses tells whether two lists permit the same, in whatever order.
func sameUses(a, b []Use) bool {
	if len(a) != len(b) {
		return false
	}
	listed := make(map[string]bool, len(a))
	for _, u := range a {
		listed[u.String()] = true
	}
	return !slices.ContainsFunc(b, func(u Use) bool { return !listed[u.String()] })
}

// Asks is what the library's own text asks to use and `uses` in nyash.toml does not have:
// the library may not call it.
func (t *Type) Asks() []Use {
	if t.own == nil {
		return nil
	}
	var all []Use
	for _, asked := range t.own.Uses {
		if !slices.ContainsFunc(t.library.Uses, func(u Use) bool { return u.Covers(asked) }) {
			all = append(all, asked)
		}
	}
	return all
}

// CheckUses returns an error for each entry of `uses` that names what nobody provides, in
// the order of the file. others are the boxes that do not come from this file, built-in
// ones and the program's own, with the names of their methods, which are nil where they
// are not known. A box of the file takes the place of one of others; which methods it has
// is its library's to say, so that of these only a hidden one is an error.
func (c *Config) CheckUses(others map[string][]string) Errors {
	var errs Errors
	for _, l := range c.Libraries {
		for _, u := range l.Uses {
			msg, advice := c.checkUse(u, others, len(errs) < shown)
			if msg != "" {
				errs = append(errs, c.doc.newError(c.doc.offset(u.Pos), l.usesKey.path(), msg, advice))
			}
		}
	}
	return errs.inOrder()
}

// checkUse says what is wrong with an entry. near allows for a look at all names.
func (c *Config) checkUse(u Use, others map[string][]string, near bool) (msg, advice string) {
	if b, ok := c.boxes[u.Box]; ok {
		if i := slices.IndexFunc(b.Hidden, func(m *Method) bool { return m.Name == u.Method }); i >= 0 {
			return fmt.Sprintf("%s hides the method %s (line %d)", u.Box, u.Method, b.Hidden[i].Pos.Line), "leave one of the two out"
		}
		return "", ""
	}
	methods, ok := others[u.Box]
	if !ok {
		if c.boxes[u.String()] != nil {
			return "a name with a dot is read as a box and a method", "give the box " + u.String() + " another name; its entry can say what the library calls it, with box"
		}
		known := ""
		if near {
			names := slices.AppendSeq(slices.Sorted(maps.Keys(others)), maps.Keys(c.boxes))
			slices.Sort(names)
			known = suggest.DidYouMean(u.Box, names)
		}
		return fmt.Sprintf("there is no box %s%s", u.Box, known), "declare it in this file, have the program provide it, or leave it out"
	}
	if methods == nil || slices.Contains(append([]string{"", abi.NameBirth, abi.NameFini}, methods...), u.Method) {
		return "", ""
	}
	advice = "name the whole box, or leave it out"
	if len(methods) > 0 {
		advice = "it has " + listSome(methods)
	}
	return fmt.Sprintf("%s has no method %s%s", u.Box, u.Method, suggest.DidYouMean(u.Method, methods)), advice
}
