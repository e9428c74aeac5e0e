package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/explain"
)

// The widths of paragraphs.
const (
	usualColumns = 80
	mostColumns  = 100 // longer lines are hard to read
)

// Explain writes what codes mean, with their examples.
func (t *Text) Explain(rules []plugintest.Rule) {
	for i, rule := range rules {
		if i > 0 {
			fmt.Fprintln(t.W)
		}
		t.explain(rule)
	}
}

func (t *Text) explain(rule plugintest.Rule) {
	e, _ := explain.Of(rule.Code)
	fmt.Fprintf(t.W, "%s: %s\n\n", t.paint(severityColours[rule.Severity], string(rule.Severity)+"["+rule.Code+"]"), t.paint(bold, rule.Title))
	t.paragraph("", e.Meaning)
	t.example("wrong:", red, e.Wrong)
	t.example("right:", green, e.Right)
	fmt.Fprintln(t.W)
	t.paragraph("expected: ", rule.Expected)
	t.paragraph("mend: ", e.Mend)
}

// Codes writes a line for each code.
func (t *Text) Codes(rules []plugintest.Rule) {
	width := 0
	for _, r := range rules {
		width = max(width, len(r.Code))
	}
	for _, r := range rules {
		fmt.Fprintf(t.W, "%-*s  %s  %s\n", width, r.Code, t.paint(severityColours[r.Severity], fmt.Sprintf("%-7s", r.Severity)), r.Title)
	}
	fmt.Fprintln(t.W, "\nplugin-tester explain CODE tells what one means, with examples.")
}

func (t *Text) example(title, colour string, e explain.Example) {
	fmt.Fprintf(t.W, "\n%s\n", t.paint(colour, title))
	for line := range strings.Lines(e.Source) {
		fmt.Fprintf(t.W, "    %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// paragraph fills lines with words. The label stands before the first one.
func (t *Text) paragraph(label, text string) {
	columns := min(mostColumns, t.Columns)
	if t.Columns <= 0 {
		columns = usualColumns
	}
	fmt.Fprint(t.W, t.paint(dim, label))
	at := len(label)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > columns:
			fmt.Fprintln(t.W)
			at = 0
		default:
			fmt.Fprint(t.W, " ")
			at++
		}
		fmt.Fprint(t.W, word)
		at += n
	}
	fmt.Fprintln(t.W)
}

// explanationsVersion is that of the JSON of explanations, which docs/tester.md describes.
const explanationsVersion = 1

type (
	explanation struct {
		Code     string              `json:"code"`
		Severity plugintest.Severity `json:"severity"`
		Title    string              `json:"title"`
		Meaning  string              `json:"meaning"`
		Expected string              `json:"expected"`
		Fix      string              `json:"fix"`
		Wrong    explanationExample  `json:"wrong"`
		Right    explanationExample  `json:"right"`
		Mend     string              `json:"mend"`
	}
	explanationExample struct {
		Language string `json:"language"`
		Source   string `json:"source"`
	}
)

// ExplainJSON writes what codes mean as one object.
func ExplainJSON(w io.Writer, rules []plugintest.Rule) error {
	d := struct {
		Version int           `json:"version"`
		Codes   []explanation `json:"codes"`
	}{Version: explanationsVersion}
	for _, r := range rules {
		e, _ := explain.Of(r.Code)
		d.Codes = append(d.Codes, explanation{
			r.Code, r.Severity, r.Title, e.Meaning, r.Expected, r.Fix, explanationExample(e.Wrong), explanationExample(e.Right), e.Mend,
		})
	}
	return contract.WriteJSON(w, d, "  ")
}

// explains says how to have the codes of findings explained; empty without findings.
func explains(r *plugintest.Report) string {
	var codes []string
	seen := make(map[string]bool)
	for i := range r.Findings {
		if code := r.Findings[i].Code; !seen[code] {
			seen[code] = true
			codes = append(codes, code)
		}
	}
	switch len(codes) {
	case 0:
		return ""
	case 1:
		return "what it means: plugin-tester explain " + codes[0]
	}
	return "what they mean: plugin-tester explain " + strings.Join(codes, " ")
}
