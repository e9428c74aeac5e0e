package generate

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// printer collects the lines of a file.
type printer struct{ bytes.Buffer }

func (p *printer) f(format string, args ...any) { fmt.Fprintf(&p.Buffer, format, args...) }

// columns is how wide comments are, without what stands before them.
const columns = 84

// commentLines is a doc as lines of a comment, filled, without anything that would end
// the comment or mean something to a compiler or a tool.
func commentLines(doc string) (lines []string) {
	doc = strings.ReplaceAll(doc, "\r\n", "\n")
	for line := range strings.SplitSeq(doc, "\n") {
		line = strings.TrimSpace(contract.Printable(strings.ReplaceAll(line, "\t", " ")))
		lines = append(lines, filled(inert(line))...)
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	return lines
}

// comment markers of C and Rust, and trigraphs: ??/ is a backslash.
var markers = strings.NewReplacer("*/", "* /", "/*", "/ *", "??", "? ?")

// inert takes their meaning from a comment's characters. A comment that was
// changed may be one again (*//*), so it is changed until it is none.
func inert(line string) string {
	for {
		next := markers.Replace(line)
		if next == line {
			return line
		}
		line = next
	}
}

// filled breaks a line between words.
func filled(text string) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= columns:
			line += " " + word
		default:
			lines = append(lines, harmless(line))
			line = word
		}
	}
	return append(lines, harmless(line))
}

// harmless is a line of a comment that neither goes on in the next line of the file (a
// backslash at its end) nor is an old build constraint of Go.
func harmless(line string) string {
	if strings.HasSuffix(line, `\`) {
		line += "."
	}
	if strings.HasPrefix(line, "+build") {
		line = `\` + line
	}
	return line
}

// comment writes a doc, each line behind the prefix.
func (p *printer) comment(prefix, doc string) {
	for _, line := range commentLines(doc) {
		p.WriteString(strings.TrimRight(prefix+" "+line, " ") + "\n")
	}
}

// argDocs writes the docs of the arguments that have some, as a list. With a gap, an empty
// line stands before it.
func (p *printer) argDocs(prefix string, gap bool, names []string, args []registry.Arg) {
	for i, a := range args {
		doc := commentLines(a.Doc)
		if len(doc) == 0 {
			continue
		}
		if gap {
			p.f("%s\n", prefix)
		}
		gap = false
		p.f("%s   - %s: %s\n", prefix, names[i], doc[0])
		for _, line := range doc[1:] {
			p.f("%s\n", strings.TrimRight(prefix+"     "+line, " "))
		}
	}
}

// oneLine is a doc as one line of a comment.
func oneLine(text string) string {
	return strings.Join(commentLines(strings.Join(strings.Fields(text), " ")), " ")
}

// cString is text as a string of C and C++, in which a NUL cannot be.
func cString(text string) string {
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	var all strings.Builder
	all.WriteByte('"')
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		piece := rest[:size]
		rest = rest[size:]
		switch {
		case r == '"' || r == '\\' || r == '?': // ? for trigraphs
			all.WriteString(`\` + piece)
		case r == '\n':
			all.WriteString(`\n`)
		case r == utf8.RuneError && size == 1 || contract.Printable(piece) != piece:
			for _, b := range []byte(piece) {
				fmt.Fprintf(&all, `\%03o`, b)
			}
		default:
			all.WriteString(piece)
		}
	}
	all.WriteByte('"')
	return all.String()
}
