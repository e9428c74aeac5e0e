package script

import (
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/nyash-plugins/nyash-go/registry"
)

// indentation is what completion puts before a line of a block.
const indentation = "    "

// The keywords of expressions, and those of statements alone.
var (
	operators = []string{"and", "else", "for", "if", "in", "lambda", "not", "or"}
	keywords  = []string{"break", "continue", "def", "elif", "load", "pass", "return", "while"}
)

// Complete gives what may stand at the end of text, a statement up to the cursor, in place of
// text[from:]: names, methods of what a name stands for, and names of a call's arguments. It runs
// nothing of the statement, but loads the library of a box whose arguments it tells.
func (s *Session) Complete(text string) (from int, words []string) {
	open, code := openCall(text)
	if !code {
		return len(text), nil
	}
	from = startOfName(text)
	word, before := text[from:], text[:from]
	if word == "" && open < 0 && strings.TrimLeft(before[strings.LastIndexByte(before, '\n')+1:], " \t") == "" {
		return from, []string{indentation}
	}
	if receiver, ok := strings.CutSuffix(before, "."); ok {
		return from, matching(word, s.attributes(receiver))
	}
	if last := strings.TrimRight(before, " \t\n"); open >= 0 && (strings.HasSuffix(last, ",") || len(last) == open+1) {
		words = matching(word, s.arguments(text, open))
		if word == "" && len(words) > 0 {
			return from, words
		}
	}
	names := slices.Clone(operators)
	if open < 0 {
		names = append(names, keywords...)
	}
	for _, name := range s.names() {
		names = append(names, s.suffixed(name))
	}
	return from, append(words, matching(word, names)...)
}

// suffixed is a name with the parenthesis that a call of it needs.
func (s *Session) suffixed(name string) string {
	v := s.globals[name]
	if v == nil {
		v = starlark.Universe[name]
	}
	if command, ok := s.commands[name]; ok && v == starlark.Value(command) {
		return name
	}
	if _, ok := v.(starlark.Callable); ok {
		return name + "("
	}
	return name
}

// attributes are those of what stands before a dot: a name, or a new box.
func (s *Session) attributes(receiver string) (all []string) {
	if head, ok := strings.CutSuffix(receiver, ")"); ok {
		open, code := openCall(head)
		if !code || open < 0 {
			return nil
		}
		if t := s.made(head[startOfName(head[:open]):open]); t != nil {
			return called(append(methodNames(t), finalise))
		}
		return nil
	}
	v, ok := s.globals[receiver[startOfName(receiver):]].(starlark.HasAttrs)
	if !ok || strings.HasSuffix(receiver[:startOfName(receiver)], ".") {
		return nil
	}
	names := v.AttrNames()
	if _, caught := v.(*errorValue); caught {
		return names
	}
	return called(names)
}

func called(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = name + "("
	}
	return all
}

// made is the type of the boxes that a name makes, or nil.
func (s *Session) made(name string) *registry.Type {
	if v, ok := s.globals[name].(*starlark.Builtin); ok && s.boxes[v] {
		return s.typeOf(v.Name())
	}
	return nil
}

// arguments are the names, with =, of those that the call whose parenthesis is at open may still get.
func (s *Session) arguments(text string, open int) (all []string) {
	callee := text[:open]
	name := callee[startOfName(callee):]
	var names []string
	declared := func(s registry.Signature) {
		for _, a := range s.Args {
			names = append(names, a.Name)
		}
	}
	receiver, method := strings.CutSuffix(callee[:startOfName(callee)], ".")
	switch {
	case method:
		box, ok := s.globals[receiver[startOfName(receiver):]].(*boxValue)
		if !ok {
			return nil
		}
		declared(box.signature(name))
	default:
		if t := s.made(name); t != nil {
			declared(t.Birth)
		} else if f, ok := s.globals[name].(*starlark.Function); ok {
			for i := range f.NumParams() {
				param, _ := f.Param(i)
				names = append(names, param)
			}
		}
	}
	given := givenArguments(text[open+1:])
	for i, name := range names {
		if i >= given.positions && !slices.Contains(given.names, name) {
			all = append(all, name+"=")
		}
	}
	return all
}

// given are the arguments of a call that are complete.
type given struct {
	positions int
	names     []string
}

// givenArguments reads the arguments before the last comma.
func givenArguments(text string) (g given) {
	start := 0
	for i := range len(text) {
		if text[i] != ',' {
			continue
		}
		if open, code := scan(text[:i]); !code || len(open) > 0 {
			continue
		}
		arg := text[start:i]
		start = i + 1
		name, value, named := strings.Cut(arg, "=")
		if named && !strings.HasPrefix(value, "=") && isName(strings.TrimSpace(name)) {
			g.names = append(g.names, strings.TrimSpace(name))
		} else {
			g.positions++
		}
	}
	return g
}

// matching are the words that begin with prefix and that Starlark can name.
func matching(prefix string, words []string) (all []string) {
	for _, word := range words {
		if strings.HasPrefix(word, prefix) && isName(strings.TrimRight(word, "(=")) {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func isName(text string) bool {
	return text != "" && startOfName(text) == 0 && (text[0] < '0' || text[0] > '9')
}

// startOfName is where the name begins that text ends with.
func startOfName(text string) int {
	start := len(text)
	for start > 0 && inName(text[start-1]) {
		start--
	}
	return start
}

func inName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// openCall is the place of the parenthesis of the call that text ends in, or -1; code is false in a
// string or a comment.
func openCall(text string) (open int, code bool) {
	brackets, code := scan(text)
	if len(brackets) == 0 {
		return -1, code
	}
	open = brackets[len(brackets)-1]
	if text[open] != '(' || startOfName(text[:open]) == open {
		return -1, code
	}
	return open, code
}

// scan finds the brackets that are open at the end of text.
func scan(text string) (open []int, code bool) {
	quote := ""
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != "" && c == '\\':
			i++
		case quote != "":
			if strings.HasPrefix(text[i:], quote) {
				i += len(quote) - 1
				quote = ""
			} else if c == '\n' && len(quote) == 1 {
				quote = ""
			}
		case c == '\'' || c == '"':
			quote = string(c)
			if triple := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], triple) {
				quote = triple
				i += 2
			}
		case c == '#':
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return open, false
			}
			i += end
		case strings.IndexByte("([{", c) >= 0:
			open = append(open, i)
		case strings.IndexByte(")]}", c) >= 0 && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	return open, quote == ""
}
