package mutants

import "strings"

// kind is what a token is.
type kind uint8

const (
	word   kind = iota // an identifier or a keyword
	number             // with its suffix
	text               // a string or a character
	mark               // an operator or a bracket, the longest that fits
	edge               // the beginning or the end of a macro's body; without text
)

// token is a piece of C.
type token struct {
	kind         kind
	text         string
	start, end   int // in bytes
	line, column int // from 1
	depth        int // of the braces around it, within a file or a macro's body
	macro        bool
	match        int // for a bracket: the token with the other; -1 for none
}

// marks are the operators of more than one character, longest first.
var marks = []string{"<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "^=", "|=", "##"}

// lex splits C into tokens. Comments and preprocessor lines are left out, but for the bodies of
// macros, which have code.
func lex(source string) []token {
	l := lexer{source: source, line: 1, fresh: true}
	for l.at < len(source) {
		l.next()
	}
	if l.macro {
		l.edge(false)
	}
	pair(l.tokens)
	return l.tokens
}

type lexer struct {
	source         string
	at, line, from int // from is where the line begins
	fresh          bool
	macro          bool
	tokens         []token
}

func (l *lexer) rest() string { return l.source[l.at:] }

func (l *lexer) advance(n int) {
	for range n {
		if l.source[l.at] == '\n' {
			l.line, l.from = l.line+1, l.at+1
		}
		l.at++
	}
}

func (l *lexer) edge(begins bool) {
	l.macro = begins
	l.tokens = append(l.tokens, token{kind: edge, start: l.at, end: l.at, line: l.line, column: l.at - l.from + 1, macro: true, match: -1})
}

func (l *lexer) next() {
	rest := l.rest()
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "\\\n"):
		l.advance(2)
	case c == '\n':
		if l.macro {
			l.edge(false)
		}
		l.advance(1)
		l.fresh = true
	case c == ' ' || c == '\t' || c == '\r':
		l.advance(1)
	case strings.HasPrefix(rest, "//"):
		l.advance(length(rest, strings.IndexByte(rest, '\n'), 0))
	case strings.HasPrefix(rest, "/*"):
		l.advance(length(rest, strings.Index(rest, "*/"), 2))
	case c == '#' && l.fresh && !l.macro:
		l.directive()
	case c == '"' || c == '\'':
		l.add(text, quoted(rest))
	case isWord(c):
		n := 1
		for n < len(rest) && (isWord(rest[n]) || digit(c) && rest[n] == '.') {
			n++
		}
		if digit(c) {
			l.add(number, n)
		} else {
			l.add(word, n)
		}
	default:
		n := 1
		for _, m := range marks {
			if strings.HasPrefix(rest, m) {
				n = len(m)
				break
			}
		}
		l.add(mark, n)
	}
}

// length is where something ends that was found at i, and the end of the text where it was not.
func length(rest string, i, more int) int {
	if i < 0 {
		return len(rest)
	}
	return i + more
}

// directive leaves out a preprocessor line, up to the body of a macro.
func (l *lexer) directive() {
	line := l.rest()
	end := 0
	for end < len(line) && line[end] != '\n' {
		if strings.HasPrefix(line[end:], "\\\n") {
			end++
		}
		end++
	}
	line = line[:end]
	words := strings.TrimLeft(line[1:], " \t")
	name, isMacro := strings.CutPrefix(words, "define")
	if !isMacro {
		l.advance(end)
		return
	}
	name = strings.TrimLeft(name, " \t")
	n := 0
	for n < len(name) && isWord(name[n]) {
		n++
	}
	if n < len(name) && name[n] == '(' {
		n = length(name, strings.IndexByte(name, ')'), 1)
	}
	l.advance(end - len(name) + n)
	l.fresh = false
	l.edge(true)
}

func (l *lexer) add(k kind, n int) {
	l.fresh = false
	l.tokens = append(l.tokens, token{kind: k, text: l.source[l.at : l.at+n], start: l.at, end: l.at + n, line: l.line, column: l.at - l.from + 1, macro: l.macro, match: -1})
	l.advance(n)
}

func quoted(rest string) int {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0], '\n':
			return i + 1
		}
	}
	return len(rest)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// pair finds the other bracket of each, and the depth of braces. A macro's body is by itself.
func pair(tokens []token) {
	var open, outside []int
	body := false
	for i := range tokens {
		t := &tokens[i]
		if t.kind == edge {
			if body = !body; body {
				open, outside = nil, open
			} else {
				open = outside
			}
			continue
		}
		t.depth = depth(tokens, open)
		if t.kind != mark {
			continue
		}
		switch t.text {
		case "(", "[", "{":
			open = append(open, i)
		case ")", "]", "}":
			if n := len(open); n > 0 && closes(tokens[open[n-1]].text, t.text) {
				t.match, tokens[open[n-1]].match = open[n-1], i
				open = open[:n-1]
				t.depth = depth(tokens, open)
			}
		}
	}
}

func closes(open, end string) bool {
	return open == "(" && end == ")" || open == "[" && end == "]" || open == "{" && end == "}"
}

func depth(tokens []token, open []int) (n int) {
	for _, i := range open {
		if tokens[i].text == "{" {
			n++
		}
	}
	return n
}
