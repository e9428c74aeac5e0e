package generate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/registry"
)

// parts are the runs of letters and digits of a name. One that has none is spelt out.
func parts(name string) []string {
	all := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(all) > 0 {
		return all
	}
	var spelt strings.Builder
	for _, r := range name {
		fmt.Fprintf(&spelt, "x%x", r)
	}
	return []string{cmp.Or(spelt.String(), "x")}
}

// words are the parts of a name, split again where a capital begins a word: URLPath has
// the words URL and Path.
func words(name string) (all []string) {
	for _, part := range parts(name) {
		runes := []rune(part)
		from := 0
		for i := 1; i < len(runes); i++ {
			capital := unicode.IsUpper(runes[i])
			afterLower := capital && !unicode.IsUpper(runes[i-1])
			beforeLower := capital && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || beforeLower {
				all = append(all, string(runes[from:i]))
				from = i
			}
		}
		all = append(all, string(runes[from:]))
	}
	return all
}

func capitalised(word string) string {
	runes := []rune(word)
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}

// exported is a name as Go exports it. What cannot begin such a name has an X in front.
func exported(name string) string {
	var all strings.Builder
	for _, part := range parts(name) {
		all.WriteString(capitalised(part))
	}
	if first, _ := utf8.DecodeRuneInString(all.String()); !unicode.IsUpper(first) {
		return "X" + all.String()
	}
	return all.String()
}

// unexported is a name as Go spells parameters.
func unexported(name string) string {
	all := words(name)
	for i, word := range all {
		if i == 0 {
			all[i] = strings.ToLower(word)
		} else {
			all[i] = capitalised(word)
		}
	}
	joined := strings.Join(all, "")
	if first, _ := utf8.DecodeRuneInString(joined); unicode.IsDigit(first) {
		return "x" + joined
	}
	return joined
}

// snake is a name in ASCII, small letters and underscores.
func snake(name string) string {
	joined := ascii(strings.ToLower(strings.Join(words(name), "_")))
	if unicode.IsDigit(rune(joined[0])) {
		return "x" + joined
	}
	return joined
}

// ascii spells letters out that not every compiler takes.
func ascii(name string) string {
	var all strings.Builder
	for _, r := range name {
		if r <= unicode.MaxASCII {
			all.WriteRune(r)
			continue
		}
		fmt.Fprintf(&all, "u%04x", r)
	}
	return all.String()
}

// scope gives names to things of which no two may have the same one.
type scope struct {
	taken    map[string]bool
	reserved map[string]bool // names that have another meaning in the language
	dodge    func(reserved string) string
}

func newScope(reserved []string, dodge func(string) string) *scope {
	s := &scope{taken: make(map[string]bool), reserved: make(map[string]bool), dodge: dodge}
	for _, name := range reserved {
		s.reserved[name] = true
	}
	return s
}

// take takes a name, or where it is taken, one with the id behind it. Names that are
// made of a plugin's have no underscore before a number alone, so nothing else is called
// that.
func (s *scope) take(name string, id uint32) string {
	if s.reserved[name] {
		name = s.dodge(name)
	}
	got := name
	for tail := ""; s.taken[got]; tail += "_" {
		got = fmt.Sprintf("%s_%d%s", name, id, tail)
	}
	s.taken[got] = true
	return got
}

// named is a thing that needs a name: a method or an argument.
type named struct {
	name string
	id   uint32
}

// takeAll gives each thing a name. Where several would have the same one, the lowest id
// has it: a plugin that grows does not rename what it had.
func (s *scope) takeAll(things []named, spell func(string) string) []string {
	order := make([]int, len(things))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(things[i].id, things[j].id) })
	all := make([]string, len(things))
	for _, i := range order {
		all[i] = s.take(spell(things[i].name), things[i].id)
	}
	return all
}

func namedMethods(methods []registry.Method) []named {
	all := make([]named, len(methods))
	for i, m := range methods {
		all[i] = named{m.Name, m.ID}
	}
	return all
}

// namedArgs has the places of the arguments for ids.
func namedArgs(args []registry.Arg) []named {
	all := make([]named, len(args))
	for i, a := range args {
		all[i] = named{a.Name, uint32(i) + 1}
	}
	return all
}
