// Package report writes the reports of package plugintest: as text for people, as
// JSON, JUnit and SARIF for CI.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// Text writes a run while it goes on. It implements plugintest.Progress.
type Text struct {
	W       io.Writer
	Colour  bool
	Moves   bool // it is a terminal whose lines can be written over: where a check is, is shown
	Columns int  // how wide it is; 0 where that is not known
	Verbose bool // with the information of checks
}

// The colours of a terminal.
const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	blue   = "\x1b[36m"
	green  = "\x1b[32m"
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

func (t *Text) paint(colour, text string) string {
	if !t.Colour {
		return text
	}
	return colour + text + reset
}

// Begin implements plugintest.Progress.
func (t *Text) Begin(check string) {
	if t.Moves {
		fmt.Fprintf(t.W, "%s …\r", check)
	}
}

// At implements plugintest.Progress.
func (t *Text) At(check, place string) {
	if t.Moves {
		fmt.Fprintf(t.W, "\x1b[K%s\r", t.fit(check+" "+contract.Printable(place)+" …"))
	}
}

// fit cuts a line that would wrap, and then could not be written over.
func (t *Text) fit(line string) string {
	runes := []rune(line)
	if t.Columns <= 1 || len(runes) < t.Columns {
		return line
	}
	return string(runes[:t.Columns-2]) + "…"
}

// clearLine clears what Begin has written.
func (t *Text) clearLine() {
	if t.Moves {
		fmt.Fprint(t.W, "\x1b[K")
	}
}

var severityColours = map[plugintest.Severity]string{plugintest.SeverityError: red, plugintest.SeverityWarning: yellow, plugintest.SeverityNote: blue}

// Found implements plugintest.Progress.
func (t *Text) Found(f *plugintest.Finding) {
	t.clearLine()
	place := f.Place()
	if place == f.Library {
		place = "the library"
	}
	fmt.Fprintf(t.W, "%s %s: %s\n", t.paint(severityColours[f.Severity], string(f.Severity)+"["+f.Code+"]"), t.paint(bold, contract.Printable(place)), printable(f.Message))
	label := func(name string) string { return t.paint(dim, fmt.Sprintf("%-9s", name)) }
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t.W, "    %s %s\n", label(name+":"), printable(value))
		}
	}
	field("expected", f.Expected)
	field("call", f.Call)
	field("input", f.Input)
	if f.File != "" {
		place := f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if f.Function != "" {
			place += " in " + f.Function
		}
		field("at", contract.Printable(place))
	}
	name := "script:"
	for line := range strings.SplitSeq(f.Sequence, "\n") {
		if !strings.HasPrefix(line, "#") && line != "" {
			fmt.Fprintf(t.W, "    %s %s\n", label(name), printable(line))
			name = ""
		}
	}
	t.steps(f, label)
	for i, frame := range f.Backtrace {
		name := ""
		if i == 0 {
			name = "stack:"
		}
		fmt.Fprintf(t.W, "    %s %s\n", label(name), printable(frame))
	}
	if len(f.Log) > 0 {
		field("log", strings.Join(f.Log, "\n              "))
	}
	if len(f.HostCalls) > 0 {
		field("host", strings.Join(f.HostCalls, "\n              "))
	}
	field("fix", f.Fix)
}

// steps writes the calls of a finding that has no script, as one of a call in which something was made to fail.
func (t *Text) steps(f *plugintest.Finding, label func(string) string) {
	onThreads := func(s plugintest.Step) bool { return s.Thread != 1 }
	if f.Sequence != "" || len(f.Steps) < 2 || slices.ContainsFunc(f.Steps, onThreads) {
		return
	}
	name := "calls:"
	for _, s := range f.Steps {
		line := s.Instance + "." + s.Call
		if s.Answer != "" {
			line += "  # " + s.Answer
		}
		if s.Note != "" {
			line += " (" + s.Note + ")"
		}
		fmt.Fprintf(t.W, "    %s %s\n", label(name), printable(line))
		name = ""
	}
}

// printable is text that may be a plugin's, without control characters.
func printable(text string) string { return contract.PrintableLines(text) }

// End implements plugintest.Progress.
func (t *Text) End(c *plugintest.CheckReport) {
	t.clearLine()
	verdict := t.paint(green, "ok")
	switch {
	case c.Calls == 0 && c.Findings == 0 && c.Name != plugintest.CheckOfFile:
		verdict = t.paint(yellow, "nothing done")
	case c.Findings > 0:
		verdict = t.paint(red, fmt.Sprintf("%d found", c.Findings))
	}
	fmt.Fprintf(t.W, "%-10s %s, %d calls, %v\n", c.Name, verdict, c.Calls, (time.Duration(c.Seconds * float64(time.Second))).Round(time.Millisecond))
	if t.Verbose {
		for _, line := range c.Lines {
			fmt.Fprintf(t.W, "    %s\n", printable(line))
		}
	}
	for _, text := range c.Skipped {
		fmt.Fprintf(t.W, "    skipped: %s\n", printable(text))
	}
}

// Summary writes the last line, and before it what the library called of its host and which codes
// can be explained.
func (t *Text) Summary(r *plugintest.Report) {
	if text := r.HostSummary(); text != "" {
		fmt.Fprintln(t.W, contract.Printable(text))
	}
	if text := explains(r); text != "" {
		fmt.Fprintln(t.W, t.paint(dim, text))
	}
	colour := green
	if len(r.Findings) > 0 {
		colour = red
	}
	fmt.Fprintln(t.W, t.paint(colour, r.Summary()))
}
