package inspect

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// WriteText writes the report for people. The error is left to whoever got it from
// Run.
func WriteText(w io.Writer, r *Report) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, r.Library)
	switch {
	case r.Module != nil:
		field(b, "file", r.Format)
		r.writeModule(func(name, text string) { field(b, name, text) })
	case r.known:
		field(b, "file", r.Format+", needs "+list(r.Needs, "nothing"))
		field(b, "exports", list(r.Exports, "nothing of the plugin ABI"))
	default:
		field(b, "file", r.Format+", needs "+list(r.Needs, "nothing"))
	}
	if len(r.Exports) > 0 && len(r.Lacks) > 0 && len(r.Tables) == 0 {
		text := list(r.Lacks, "")
		if r.Module == nil && r.exports(abi.SymbolInvoke) {
			text += "; a [libraries] entry does without"
		}
		field(b, "lacks", text)
	}
	generations := list(r.Generations, "none that is known")
	if r.SelfDescribed {
		generations += ", describes itself"
	}
	field(b, "generation", generations)
	if len(r.Tables) > 0 {
		field(b, "tables", list(r.Tables, ""))
		field(b, "manifest", r.manifestText())
	}
	if r.ABI != 0 {
		field(b, "ABI", fmt.Sprint(r.ABI))
	}
	if r.Threads != "" {
		field(b, "threads", r.Threads)
	}
	for _, box := range r.Boxes {
		fmt.Fprintln(b)
		WriteBox(b, &box, "")
		if len(box.Methods) == 0 {
			lines(b, "  ", "  ", r.noMethods(box.Box))
		}
	}
	section(b, "requests, which count for nothing until nyash.toml has them", requestLines(r.Requests))
	section(b, "warnings", r.Warnings)
	if r.Error != "" {
		section(b, "its last log lines", r.Log)
	}
	return b.Flush()
}

// noMethods says where the methods of a box come from that describes none.
func (r *Report) noMethods(box string) string {
	if slices.Contains(r.Tables, box) {
		return "It describes no methods. Its table resolves those that nyash.toml lists, as in text = {}."
	}
	return "It describes no methods. Write them in nyash.toml, each with its method_id."
}

// manifestText says where the manifest is, or what stands in for it.
func (r *Report) manifestText() string {
	switch {
	case r.Manifest != "":
		return r.Manifest
	case r.noManifest == "":
		return "none that can be used"
	case len(r.untold) == 0:
		return "none: there is no " + r.noManifest
	case slices.ContainsFunc(r.untold, func(box string) bool { return !r.declares(box) }):
		return "none: there is no " + r.noManifest + "; give type_id, and the methods by name, in nyash.toml"
	}
	return "none: there is no " + r.noManifest + "; nyash.toml declares the boxes, and nyash list shows them"
}

func list(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return contract.Printable(strings.Join(words, ", "))
}

func field(w io.Writer, name, text string) {
	lines(w, fmt.Sprintf("  %-12s", name), strings.Repeat(" ", 14), text)
}

func section(w io.Writer, title string, texts []string) {
	if len(texts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, text := range texts {
		lines(w, "  ", "    ", text)
	}
}

func requestLines(requests []Request) []string {
	all := make([]string, len(requests))
	for i, r := range requests {
		all[i] = fmt.Sprintf("%s: %s = %s", r.Box, r.Key, r.TOML)
	}
	return all
}

// WriteBox writes a box with its docs, at 80 columns; what stands behind its name.
func WriteBox(w io.Writer, b *Box, what string) {
	head := fmt.Sprintf("%s, type %d", b.Box, b.TypeID)
	if b.Singleton {
		head += ", singleton"
	}
	lines(w, "", "  ", head+what)
	if b.Doc != "" {
		lines(w, "  ", "  ", b.Doc)
	}
	if b.Birth != nil && (len(b.Birth.Args) > 0 || b.Birth.Doc != "") {
		writeMethod(w, b.Birth)
	}
	for i := range b.Methods {
		writeMethod(w, &b.Methods[i])
	}
}

// indent is where a method's name stands, behind its id.
const indent = "       "

func writeMethod(w io.Writer, m *Method) {
	id, head, hash := fmt.Sprintf("%5d  ", m.MethodID), m.Method+m.Signature, hashOf(m)
	switch room := columns - len(indent) - len(hash) - utf8.RuneCountInString(head); {
	case hash == "":
		lines(w, id, indent+"    ", head)
	case room >= 2:
		fmt.Fprintf(w, "%s%s%*s%s\n", id, head, room, "", hash)
	default:
		lines(w, id, indent+"    ", head)
		fmt.Fprintf(w, "%*s\n", columns, hash)
	}
	if m.Doc != "" {
		lines(w, indent+"  ", indent+"  ", m.Doc)
	}
	for _, a := range m.Args {
		if a.Doc != "" {
			lines(w, indent+"  "+a.Name+": ", indent+"    ", a.Doc)
		}
	}
}

// hashOf is the hash of the declared types, or what init gives where none are declared.
func hashOf(m *Method) string {
	if m.Hash != "" {
		return m.Hash
	}
	return m.InitHash
}
