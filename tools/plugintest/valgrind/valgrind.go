// Package valgrind runs programs under valgrind's memcheck and reads what it
// reports of one library in them. A Go program without cgo runs under valgrind as
// it is; what is reported of Go's own runtime is left out.
package valgrind

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Installed reports whether valgrind can be run.
func Installed() bool {
	_, err := exec.LookPath("valgrind")
	return err == nil
}

// Command is the command line in front of a program that has valgrind write its
// report to a file. The file's name may have %p for the process's id.
func Command(report string) []string {
	return []string{"valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
		"--track-origins=yes", "--num-callers=30", "--error-limit=no",
		"--max-stackframe=8000000", // goroutines switch stacks all the time
		"--xml=yes", "--xml-file=" + report}
}

// Error is one error that valgrind reports.
type Error struct {
	Kind    string // valgrind's word, Leak_DefinitelyLost say
	Message string
	Leaked  int  // bytes that a leak loses
	Freed   bool // the memory was freed before
	// Frames are the library's, of all stacks of the error, innermost first.
	Frames []Frame
}

// Frame is a place in the library.
type Frame struct {
	Function string
	File     string // empty where it is not known
	Line     int
	Heads    string // what the stack is of that begins here, for those after the first: Freed or Allocated; empty otherwise
}

// What stacks after the first are of.
const (
	Freed     = "freed by:"
	Allocated = "allocated by:"
)

// String is the frame for a person.
func (f Frame) String() string {
	if f.File == "" {
		return f.Function
	}
	return fmt.Sprintf("%s at %s:%d", f.Function, f.File, f.Line)
}

// The parts of valgrind's XML, protocol 4.
type (
	xmlError struct {
		Kind  string `xml:"kind"`
		What  string `xml:"what"`
		XWhat struct {
			Text   string `xml:"text"`
			Leaked int    `xml:"leakedbytes"`
		} `xml:"xwhat"`
		AuxWhats []string `xml:"auxwhat"`
		Stacks   []struct {
			Frames []xmlFrame `xml:"frame"`
		} `xml:"stack"`
	}
	xmlFrame struct {
		Obj  string `xml:"obj"`
		Fn   string `xml:"fn"`
		Dir  string `xml:"dir"`
		File string `xml:"file"`
		Line string `xml:"line"`
	}
)

// fishyValue is valgrind's word for a size that malloc refuses. Memory is not touched by that;
// where the answer is not looked at, the use of it is an error of its own.
const fishyValue = "FishyValue"

// Read reads the errors in a report that have the library's code in a stack. The
// end of a report is missing where the process crashed; that is no error.
func Read(report, library string) ([]Error, error) {
	names := []string{library}
	if file, err := filepath.EvalSymlinks(library); err == nil {
		names = append(names, file)
	}
	f, err := os.Open(report)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Error
	d := xml.NewDecoder(f)
	for {
		token, err := d.Token()
		var syntax *xml.SyntaxError
		if errors.Is(err, io.EOF) || errors.As(err, &syntax) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "error" {
			var x xmlError
			if err := d.DecodeElement(&x, &start); err != nil {
				continue
			}
			if e := x.of(names); len(e.Frames) > 0 && e.Kind != fishyValue {
				all = append(all, e)
			}
		}
	}
}

// of is the error with the frames of a library that has these names.
func (x *xmlError) of(names []string) Error {
	e := Error{Kind: x.Kind, Message: x.What, Leaked: x.XWhat.Leaked}
	if e.Message == "" {
		e.Message = x.XWhat.Text
	}
	for _, text := range x.AuxWhats {
		if text != "Block was alloc'd at" { // which says no more than that its stack follows
			e.Message += "; " + text
		}
	}
	e.Freed = slices.ContainsFunc(x.AuxWhats, func(text string) bool {
		return strings.HasSuffix(text, "free'd") && !strings.Contains(text, "(recently)")
	})
	for i, stack := range x.Stacks {
		head := ""
		if i > 0 && i <= len(x.AuxWhats) {
			head = headOf(x.AuxWhats[i-1])
		}
		for _, f := range stack.Frames {
			if slices.Contains(names, f.Obj) {
				frame := f.frame()
				frame.Heads, head = head, ""
				e.Frames = append(e.Frames, frame)
			}
		}
	}
	return e
}

// headOf is what a stack is of that valgrind announces so.
func headOf(text string) string {
	switch {
	case strings.HasSuffix(text, "free'd"):
		return Freed
	case strings.HasSuffix(text, "alloc'd at"), strings.HasSuffix(text, "alloc'd"), strings.HasSuffix(text, "allocation"):
		return Allocated
	}
	return ""
}

func (f *xmlFrame) frame() Frame {
	out := Frame{Function: f.Fn, File: f.File}
	if f.Dir != "" {
		out.File = filepath.Join(f.Dir, f.File)
	}
	out.Line, _ = strconv.Atoi(f.Line)
	return out
}
