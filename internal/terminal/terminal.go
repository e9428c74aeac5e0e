// Package terminal tells whether a person sees what a command writes. It has no state.
package terminal

import (
	"os"

	"golang.org/x/term"
)

// Is tells whether a stream of a command is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// noColour is the variable that no-color.org agrees on.
const noColour = "NO_COLOR" //nolint:misspell // theirs

// Colours tells whether a stream is a terminal that knows colours, and that noColour is not set.
func Colours(stream any) bool { return Moves(stream) && os.Getenv(noColour) == "" }

// Moves tells whether a stream is a terminal whose lines can be written over.
func Moves(stream any) bool { return Is(stream) && os.Getenv("TERM") != "dumb" }

// Columns is how wide a terminal is; 0 where that is not known.
func Columns(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
