package scaffold

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxName keeps file names and lines short.
const maxName = 40

// reserved are names that mean something else: in a script, in one of the
// languages or their headers, or to the host.
var reserved = []string{
	"None", "True", "False", // Starlark
	"BUFSIZ", "EOF", "FILE", "NULL", // stdio.h
	"AtomicI64", "Box", "Code", "Err", "Error", "Ok", "Option", "Ordering", "Result", "SeqCst", "Self", "Some", "String", "Vec", // Rust, and what the template uses
	"ConsoleBox", "EventBox", "TimeBox", // built-in boxes
}

// CheckName reports what is wrong with the name of a box, and a name that would
// be right. A name is one in every language, in scripts and in nyash.toml: a
// capital letter, then letters and digits.
func CheckName(name string) error {
	var wrong string
	switch other := strings.IndexFunc(name, func(r rune) bool { return !isLetter(r) && !isDigit(r) }); {
	case name == "":
		wrong = "the name is empty"
	case other >= 0:
		wrong = fmt.Sprintf("a box's name has only the letters A to Z and a to z and digits, not %q", []rune(name[other:])[0])
	case !unicode.IsUpper(rune(name[0])):
		wrong = "a box's name begins with a capital letter"
	case len(name) > maxName:
		wrong = fmt.Sprintf("a box's name has at most %d characters, this one has %d", maxName, len(name))
	case isReserved(name):
		wrong = "the name means something else already"
	default:
		return nil
	}
	return fmt.Errorf("%q cannot be the name of a box: %s; for example: %s", name, wrong, propose(name))
}

func isLetter(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }
func isDigit(r rune) bool  { return r >= '0' && r <= '9' }

// isReserved: names that begin with Nyash are the SDK's.
func isReserved(name string) bool {
	return slices.Contains(reserved, name) || strings.HasPrefix(name, "Nyash")
}

// propose makes a name of what is left of one.
func propose(name string) string {
	var b strings.Builder
	name = strings.Map(func(r rune) rune {
		switch {
		case isLetter(r) || isDigit(r):
			return r
		case unicode.IsLetter(r): // of another alphabet
			return -1
		}
		return ' '
	}, name)
	for word := range strings.FieldsSeq(name) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	proposed := b.String()
	if proposed == "" {
		return "MyBox"
	}
	if isDigit(rune(proposed[0])) || isReserved(proposed) {
		proposed = "My" + proposed
	}
	return proposed[:min(len(proposed), maxName)]
}

// Folder is the name of the folder for a box: that of MyBox is my-box.
func Folder(name string) string {
	var b strings.Builder
	for i, r := range name {
		upper := unicode.IsUpper(r)
		if i > 0 && upper {
			before, after := rune(name[i-1]), i+1 < len(name) && unicode.IsLower(rune(name[i+1]))
			if unicode.IsLower(before) || after {
				b.WriteByte('-')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
