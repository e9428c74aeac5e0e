package script

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/syntax"
)

// reserved says of a word that the interpreter only calls no identifier that the language has it for
// itself, and how a method of that name is called all the same. lines are those of the source.
func reserved(err error, lines []string) error {
	var wrong syntax.Error
	if !errors.As(err, &wrong) || wrong.Msg != "not an identifier" || wrong.Pos.Line < 1 || int(wrong.Pos.Line) > len(lines) {
		return err
	}
	line := []rune(lines[wrong.Pos.Line-1])
	end := min(max(int(wrong.Pos.Col)-1, 0), len(line)) // the error is at the end of the word
	before, word := lastWord(string(line[:end]))
	if !isReserved(word) {
		return err
	}
	wrong.Msg = word + " is a reserved word of Starlark"
	if object, ok := strings.CutSuffix(strings.TrimRight(before, " "), "."); ok {
		if head, name := lastWord(object); name != "" && !strings.HasSuffix(head, ".") {
			object = name
		} else {
			object = "box"
		}
		wrong.Msg += fmt.Sprintf("; write getattr(%s, %q)", object, word)
	}
	return wrong
}

// lastWord cuts the letters, digits and _ that a text ends with.
func lastWord(text string) (before, word string) {
	before = strings.TrimRightFunc(text, func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	})
	return before, text[len(before):]
}

func isReserved(word string) bool {
	for t := syntax.AND; t <= syntax.YIELD; t++ {
		if t.String() == word {
			return true
		}
	}
	return false
}
