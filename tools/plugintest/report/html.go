package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/explain"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"printable": printable,
	"explain":   explanationOf,
	"diagram":   newDiagram,
	"anchor":    func(report, finding int) string { return fmt.Sprintf("finding-%d-%d", report+1, finding+1) },
	"place":     placeOf,
	"source":    sourceOf,
	"script":    scriptLines,
	"seconds":   func(s float64) time.Duration { return time.Duration(s * float64(time.Second)).Round(time.Millisecond) },
	"number":    func(i int) int { return i + 1 },
	"docs":      func() string { return homepage + "/blob/main/docs/tester.md" },
}).Parse(pageText))

// HTML writes reports as one page that needs nothing else: no network, no scripts. Its text may be a
// plugin's, and is escaped.
func HTML(w io.Writer, reports []*plugintest.Report) error { return page.Execute(w, reports) }

func explanationOf(code string) *explain.Text {
	e, ok := explain.Of(code)
	if !ok {
		return nil
	}
	return &e
}

func placeOf(f plugintest.Finding) string {
	if place := f.Place(); place != f.Library {
		return contract.Printable(place)
	}
	return "the library"
}

// sourceOf is a finding's place in the source; empty where it is not known.
func sourceOf(f plugintest.Finding) string {
	if f.File == "" {
		return ""
	}
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Function != "" {
		place += " in " + f.Function
	}
	return contract.Printable(place)
}

// scriptLines is a script without its comments.
func scriptLines(sequence string) string {
	var lines []string
	for line := range strings.Lines(sequence) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			lines = append(lines, printable(strings.TrimRight(line, "\n")))
		}
	}
	return strings.Join(lines, "\n")
}
