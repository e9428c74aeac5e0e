// Package explain has a text for each code of package plugintest: what a finding means, a wrong and a
// right example, and how to mend it. They are the files codes/CODE.md.
//
// All functions are safe for concurrent use.
package explain

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed codes/*.md
var files embed.FS

// Text explains one code. Its paragraphs are one line each.
type Text struct {
	Code    string
	Meaning string // what is wrong, and why that matters to a host
	Wrong   Example
	Right   Example
	Mend    string
}

// Example is a piece of a plugin or of its files.
type Example struct {
	Language string // c, sdk-c (C with the SDK), toml or sh
	Source   string
}

// Of returns the text of a code.
func Of(code string) (Text, bool) {
	data, err := files.ReadFile("codes/" + code + ".md")
	if err != nil {
		return Text{}, false
	}
	return parse(string(data)), true
}

// Codes are those that have a text, in alphabetical order.
func Codes() []string {
	entries, err := files.ReadDir("codes")
	if err != nil {
		panic(err) // it is embedded
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
	}
	slices.Sort(all)
	return all
}

// parse reads a file: the code as its title, a paragraph, and the sections Wrong, Right and Mend.
func parse(file string) (t Text) {
	head, rest, _ := strings.Cut(strings.TrimPrefix(file, "# "), "\n")
	meaning, sections, _ := strings.Cut(rest, "\n## Wrong\n")
	wrong, sections, _ := strings.Cut(sections, "\n## Right\n")
	right, mend, _ := strings.Cut(sections, "\n## Mend\n")
	return Text{Code: head, Meaning: line(meaning), Wrong: example(wrong), Right: example(right), Mend: line(mend)}
}

func line(paragraph string) string { return strings.Join(strings.Fields(paragraph), " ") }

func example(fenced string) (e Example) {
	fenced = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(fenced), "```"), "```")
	e.Language, e.Source, _ = strings.Cut(fenced, "\n")
	return e
}
