// Package mutants measures plugin-tester: it makes small changes, as authors make them by
// mistake, to plugins without a fault, and counts those that the tester finds.
package mutants

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mutant is a source with one change.
type Mutant struct {
	File         string // as its source is named
	Line, Column int
	Operator     string
	Was, Is      string // the text that was changed
	start, end   int
}

// ID names a mutant.
func (m *Mutant) ID() string { return fmt.Sprintf("%s:%d:%d:%s", m.File, m.Line, m.Column, m.Operator) }

// Change shows what was changed, on one line.
func (m *Mutant) Change() string { return oneLine(m.Was) + " → " + oneLine(m.Is) }

// Apply returns the source with the change.
func (m *Mutant) Apply(source string) string { return source[:m.start] + m.Is + source[m.end:] }

func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "\\\n", " ")), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:70]) + " … " + string(r[len(r)-25:])
	}
	return s
}

// The operators, by the names that the literature on mutation gives them.
const (
	statementDeletion = "statement-deletion"
	conditionTrue     = "condition-true"
	conditionFalse    = "condition-false"
	relational        = "relational"
	logical           = "logical"
	arithmetic        = "arithmetic"
	constantPlus      = "constant-plus"
	constantMinus     = "constant-minus"
	argumentSwap      = "argument-swap"
	returnOK          = "return-ok"
	returnOther       = "return-other"
)

// Mutate returns all mutants of a C source, in the order of the places that they change.
func Mutate(file, source string) []Mutant {
	m := &mutator{file: file, source: source, tokens: lex(source)}
	m.starts = m.statementStarts()
	for i := range m.tokens {
		m.at(i)
	}
	slices.SortStableFunc(m.found, func(a, b Mutant) int { return cmp.Or(a.start-b.start, strings.Compare(a.Operator, b.Operator)) })
	return m.found
}

type mutator struct {
	file, source string
	tokens       []token
	starts       map[int]bool // tokens that begin a statement
	found        []Mutant
}

// is tells whether a token has this text, and is no string.
func (m *mutator) is(i int, texts ...string) bool {
	if i < 0 || i >= len(m.tokens) || m.tokens[i].kind == text || m.tokens[i].kind == edge {
		return false
	}
	return slices.Contains(texts, m.tokens[i].text)
}

func (m *mutator) kind(i int, k kind) bool {
	return i >= 0 && i < len(m.tokens) && m.tokens[i].kind == k
}

// replace adds the mutant that has other text from token i to token last.
func (m *mutator) replace(operator string, i, last int, with string) {
	first := &m.tokens[i]
	start, end := first.start, m.tokens[last].end
	m.found = append(m.found, Mutant{m.file, first.line, first.column, operator, m.source[start:end], with, start, end})
}

// words of C that are no name of a function or a variable.
var keywords = map[string]bool{
	"if": true, "else": true, "for": true, "while": true, "do": true, "switch": true, "case": true, "default": true, "return": true,
	"break": true, "continue": true, "goto": true, "sizeof": true, "static": true, "extern": true, "const": true, "volatile": true,
	"struct": true, "union": true, "enum": true, "typedef": true, "int": true, "char": true, "long": true, "short": true,
	"unsigned": true, "signed": true, "float": true, "double": true, "void": true, "bool": true, "inline": true,
	"_Static_assert": true, "_Thread_local": true, "_Atomic": true, "__attribute__": true, "register": true,
}

// statementStarts are the tokens that a statement can begin with.
func (m *mutator) statementStarts() map[int]bool {
	starts := make(map[int]bool)
	for i := range m.tokens {
		switch {
		case m.kind(i, edge), m.is(i, ";", "{", "}", "else", "do"):
			starts[i+1] = true
		case m.is(i, "if", "for", "while", "switch") && m.is(i+1, "(") && m.tokens[i+1].match > 0:
			starts[m.tokens[i+1].match+1] = true
		case m.is(i, "case", "default"):
			for k := i + 1; k < len(m.tokens) && !m.is(k, ";", "{"); k++ {
				if m.is(k, ":") {
					starts[k+1] = true
					break
				}
			}
		}
	}
	return starts
}

var comparisons = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}

var binary = map[string]string{"+": "-", "-": "+", "*": "+"}

var assigning = map[string]string{"+=": "-=", "-=": "+=", "++": "--", "--": "++"}

func (m *mutator) at(i int) {
	t := &m.tokens[i]
	switch t.kind {
	case edge, text:
		return
	case number:
		m.constant(i)
		return
	}
	if m.starts[i] {
		m.statement(i)
	}
	switch {
	case t.text == "if" && m.is(i+1, "(") && m.tokens[i+1].match > i+2:
		m.replace(conditionTrue, i+2, m.tokens[i+1].match-1, "1")
		m.replace(conditionFalse, i+2, m.tokens[i+1].match-1, "0")
	case t.text == "while" && m.is(i+1, "(") && m.tokens[i+1].match > i+2:
		m.replace(conditionFalse, i+2, m.tokens[i+1].match-1, "0")
	case t.text == "return":
		m.returns(i)
	case comparisons[t.text] != "":
		m.replace(relational, i, i, comparisons[t.text])
	case t.text == "&&":
		m.replace(logical, i, i, "||")
	case t.text == "||":
		m.replace(logical, i, i, "&&")
	case assigning[t.text] != "":
		m.replace(arithmetic, i, i, assigning[t.text])
	case binary[t.text] != "" && m.isValue(i-1) && (t.text != "*" || !m.isPointer(i)):
		m.replace(arithmetic, i, i, binary[t.text])
	case t.kind == word && !keywords[t.text] && m.is(i+1, "(") && m.tokens[i+1].match > 0 && m.isCall(i):
		m.arguments(i + 1)
	}
}

// isValue is whether a token ends an operand.
func (m *mutator) isValue(i int) bool {
	return m.kind(i, number) || m.is(i, ")", "]") || m.kind(i, word) && !keywords[m.tokens[i].text]
}

// isPointer is whether a star is of a type, as far as that can be seen; the compiler sees the rest.
func (m *mutator) isPointer(i int) bool {
	return m.is(i+1, ")", ",", "]", "*") || m.starts[i-1] || m.is(i-2, "struct", "const", "enum", "union") || m.tokens[i].depth == 0 && !m.tokens[i].macro
}

// isCall tells a call from a declaration of a function.
func (m *mutator) isCall(i int) bool {
	if m.tokens[i].depth > 0 {
		return true
	}
	return m.tokens[i].macro && !m.isValue(i-1) && !m.is(i-1, "*") && !m.kind(i-1, word)
}

// arguments swaps each two neighbours of a call's arguments.
func (m *mutator) arguments(open int) {
	end := m.tokens[open].match
	var commas []int
	for k := open + 1; k < end; k++ {
		if m.is(k, "(", "[", "{") && m.tokens[k].match > k {
			k = m.tokens[k].match
		} else if m.is(k, ",") {
			commas = append(commas, k)
		}
	}
	begin := open + 1
	for n, comma := range commas {
		next := end
		if n+1 < len(commas) {
			next = commas[n+1]
		}
		if begin >= comma || comma+1 >= next {
			return
		}
		a, b := m.span(begin, comma-1), m.span(comma+1, next-1)
		if a != b {
			m.replace(argumentSwap, begin, next-1, b+", "+a)
		}
		begin = comma + 1
	}
}

func (m *mutator) span(i, last int) string { return m.source[m.tokens[i].start:m.tokens[last].end] }

// statementEnd is the semicolon of a statement without a block of its own; -1 for none.
func (m *mutator) statementEnd(i int) int {
	for k := i; k < len(m.tokens); k++ {
		switch {
		case m.is(k, "(", "[", "{") && m.tokens[k].match > k:
			k = m.tokens[k].match
		case m.is(k, ";"):
			return k
		case m.is(k, ")", "]", "}"), m.kind(k, edge):
			return -1
		}
	}
	return -1
}

// statement deletes a call, an assignment, a break or a continue.
func (m *mutator) statement(i int) {
	if m.tokens[i].depth == 0 && !m.tokens[i].macro {
		return
	}
	end := m.statementEnd(i)
	if end <= i {
		return
	}
	deletable := m.is(i, "break", "continue")
	if !deletable && !keywords[m.tokens[i].text] && !m.is(i, "{", "}") {
		call := m.kind(i, word) && m.is(i+1, "(") && m.tokens[i+1].match == end-1
		deletable = call || m.isAssignment(i, end) || m.isMethodCall(i, end)
	}
	if deletable {
		m.replace(statementDeletion, i, end, "(void)0;")
	}
}

// isMethodCall is whether a statement calls through a pointer, as in host->free(p).
func (m *mutator) isMethodCall(i, end int) bool {
	if !m.is(end-1, ")") || m.is(i, "(") {
		return false
	}
	for k := i; k < end; k++ {
		if m.is(k, "->", ".") && m.kind(k+1, word) && m.is(k+2, "(") && m.tokens[k+2].match == end-1 {
			return true
		}
	}
	return false
}

// isAssignment is whether a statement changes a variable, and declares none.
func (m *mutator) isAssignment(i, end int) bool {
	for k := i; k < end; k++ {
		switch {
		case m.is(k, "=", "+=", "-=", "*=", "/=", "|=", "&=", "++", "--"):
			return true
		case m.is(k, "(", "[") && m.tokens[k].match > k:
			k = m.tokens[k].match
		case m.kind(k, word) && m.kind(k+1, word), k == i && m.kind(i, word) && m.is(i+1, "*"):
			return false // a declaration
		}
	}
	return false
}

// returns has a return answer something else.
func (m *mutator) returns(i int) {
	end := m.statementEnd(i)
	if end <= i+1 {
		return
	}
	value := m.span(i+1, end-1)
	single := end == i+2
	switch {
	case single && value == "true":
		m.replace(returnOther, i, end, "return false;")
	case single && value == "false":
		m.replace(returnOther, i, end, "return true;")
	case single && strings.HasPrefix(value, "NYASH_E_"):
		other := "NYASH_E_PLUGIN"
		if value == other {
			other = "NYASH_E_INVALID_ARGS"
		}
		m.replace(returnOK, i, end, "return NYASH_OK;")
		m.replace(returnOther, i, end, "return "+other+";")
	case single && (value == "NYASH_OK" || value == "NULL" || m.kind(i+1, number)):
	default:
		m.replace(returnOK, i, end, "return 0;")
	}
}

// constant makes an integer one larger, and one smaller.
func (m *mutator) constant(i int) {
	digits := strings.TrimRight(m.tokens[i].text, "uUlL")
	suffix := m.tokens[i].text[len(digits):]
	n, err := strconv.ParseUint(digits, 0, 64)
	if err != nil {
		return
	}
	m.replace(constantPlus, i, i, strconv.FormatUint(n+1, 10)+suffix)
	if n == 0 {
		m.replace(constantMinus, i, i, "(-1"+suffix+")")
	} else {
		m.replace(constantMinus, i, i, strconv.FormatUint(n-1, 10)+suffix)
	}
}
