package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/report"
)

const docs = "https://github.com/nyash-plugins/nyash-go/blob/main/docs/tester.md"

// pageReports are the usual ones, and findings with steps.
func pageReports() []*plugintest.Report {
	mixed := plugintest.Finding{
		Code: "instances-mixed", Severity: plugintest.SeverityError, Check: "explore", Library: "libmix.so", Box: "Counter", Method: "add",
		Message: "it answered i64 7, and i64 5 alone", Expected: "the answers of each instance alone", Fix: "keep the state in the instance",
		Sequence: "# instances-mixed: Counter.add\ncounter1 = Counter()\ncounter2 = Counter()\n# replay: {}\n",
		Steps: []plugintest.Step{
			{Thread: 1, Instance: "counter1", Call: "birth()", Answer: "a new instance"},
			{Thread: 1, Instance: "counter2", Call: "birth()", Answer: "a new instance"},
			{Thread: 1, Instance: "counter1", Call: "add(i64 2)", Answer: "i64 2"},
			{Thread: 1, Instance: "counter2", Call: "add(i64 5)", Answer: "i64 7", Note: "otherwise alone", Fault: true},
		},
	}
	race := plugintest.Finding{
		Code: "race", Severity: plugintest.SeverityError, Check: "threads", Library: "libmix.so", Box: "Counter", Method: "add",
		Message: "another thread calls", Fix: "guard it", File: "mix.c", Line: 7, Function: "add",
		Steps: []plugintest.Step{
			{Thread: 1, Instance: "counter1", Call: "birth()", Answer: "a new instance"},
			{Thread: 1, Instance: "counter1", Call: "add(i64 2)", Note: "stopped before mix.c:7 in add"},
			{Thread: 2, Instance: "counter1", Call: "add(i64 5)", Answer: "i64 5"},
			{Thread: 1, Instance: "counter1", Answer: "i64 2", Note: "goes on", Fault: true},
		},
	}
	crash := plugintest.Finding{
		Code: "crash", Severity: plugintest.SeverityError, Check: "explore", Library: "libmix.so", Box: "Counter", Method: "<script>alert(1)</script>",
		Message: "SIGSEGV </p><img src=x onerror=alert(1)> \x1b[31m", Fix: "see the stack", Call: `"><svg onload=alert(1)>`,
		Steps: []plugintest.Step{
			{Thread: 1, Instance: `"/><script>`, Call: `</title></svg><script>alert(1)</script>(string "` + strings.Repeat("long ", 100) + `")`, Fault: true},
		},
		Log: []string{"</pre><style>*{display:none}</style>", "\u202eback"},
	}
	return append(reports(), &plugintest.Report{
		Library: "libmix.so", Seed: 3, Findings: []plugintest.Finding{mixed, race, crash},
		Checks: []plugintest.CheckReport{{Name: "explore", Seconds: 20, Calls: 12345, Findings: 2}, {Name: "threads", Seconds: 3, Calls: 10, Findings: 1}},
	})
}

func htmlPage(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, pageReports()))
	return b.String()
}

func TestHTML_Golden(t *testing.T) {
	const path = "testdata/report.html"
	have := htmlPage(t)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(have), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), have)
}

// TestHTML_Alone: the page asks for nothing, links to nothing but the documentation, and has no code.
func TestHTML_Alone(t *testing.T) {
	have := htmlPage(t)
	for _, url := range regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s"'<>]*`).FindAllString(have, -1) {
		assert.Equal(t, docs, url)
	}
	for _, m := range regexp.MustCompile(`(?i)\b(href|src|action|data|xlink:href|srcset)="([^"]*)"`).FindAllStringSubmatch(have, -1) {
		assert.Equal(t, "href", m[1])
		assert.True(t, m[2] == docs || strings.HasPrefix(m[2], "#finding-"), m[2])
	}
	assert.NotContains(t, have, "@import")
	assert.NotContains(t, have, "url(")
	assert.Contains(t, have, `content="default-src 'none'; style-src 'unsafe-inline'"`)
}

// elements reads a page as HTML that is also XML, but for what has no end.
func elements(t *testing.T, page string) (all []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = false
	d.AutoClose = xml.HTMLAutoClose
	d.Entity = xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			all = append(all, e.Copy())
		}
	}
}

// TestHTML_Escaped: whatever a plugin writes is text, and no element of the page.
func TestHTML_Escaped(t *testing.T) {
	have := htmlPage(t)
	styles := 0
	ids := make(map[string]bool)
	for _, e := range elements(t, have) {
		assert.NotContains(t, []string{"script", "img", "iframe", "object", "link"}, e.Name.Local)
		if e.Name.Local == "style" {
			styles++
		}
		for _, a := range e.Attr {
			assert.False(t, strings.HasPrefix(a.Name.Local, "on"), "%s of %s", a.Name.Local, e.Name.Local)
			if a.Name.Local == "id" {
				assert.False(t, ids[a.Value], "two elements have the id %s", a.Value)
				ids[a.Value] = true
			}
		}
	}
	assert.Equal(t, 1, styles)
	assert.NotContains(t, have, "\x1b")
	assert.NotContains(t, have, "\u202e")
	for _, m := range regexp.MustCompile(`href="#([^"]*)"|aria-labelledby="([^"]*)"`).FindAllStringSubmatch(have, -1) {
		assert.True(t, ids[m[1]+m[2]], m[0])
	}
}

// TestHTML_Diagrams: a lifeline for each thread and instance, and one mark in each diagram.
func TestHTML_Diagrams(t *testing.T) {
	svgs := regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(htmlPage(t), -1)
	require.Len(t, svgs, 4)
	for i, heads := range [][]string{{"host", "counter1"}, {"host", "counter1", "counter2"}, {"host, thread 1", "host, thread 2", "counter1"}, {"host", "&#34;/&gt;&lt;script&gt;"}} {
		var have []string
		for _, m := range regexp.MustCompile(`text-anchor="middle">([^<]*)<`).FindAllStringSubmatch(svgs[i], -1) {
			have = append(have, m[1])
		}
		assert.Equal(t, heads, have)
		assert.Equal(t, 1, strings.Count(svgs[i], `class="mark"`))
		assert.Contains(t, svgs[i], `role="img"`)
		assert.Regexp(t, `aria-label="1\. thread 1 calls `, svgs[i])
	}
	assert.Contains(t, svgs[3], ">no answer: crash<")

	many := plugintest.Finding{Code: "thread-dependent", Sequence: "..."}
	for i := range 100 {
		many.Steps = append(many.Steps, plugintest.Step{Thread: i + 1, Instance: "counter1", Call: "next()", Answer: "i64 1", Fault: i == 99})
	}
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, []*plugintest.Report{{Findings: []plugintest.Finding{many}}}))
	assert.Contains(t, b.String(), ">host, many threads<")
	assert.Contains(t, b.String(), ">thread 100: next()<")
	assert.Contains(t, b.String(), ">40 earlier calls are in the script<")

	many.Sequence = ""
	b.Reset()
	require.NoError(t, report.HTML(&b, []*plugintest.Report{{Findings: []plugintest.Finding{many}}}))
	assert.Contains(t, b.String(), ">40 earlier calls are left out<")
}

// TestHTML_Contrast: text is readable on what it stands on, in both schemes (WCAG 2.1, AA: 4.5 to 1).
func TestHTML_Contrast(t *testing.T) {
	style := regexp.MustCompile(`(?s):root \{([^}]*)\}`).FindAllStringSubmatch(htmlPage(t), -1)
	require.Len(t, style, 2)
	for _, scheme := range style {
		colours := make(map[string]float64)
		for _, m := range regexp.MustCompile(`--(\w+): #([0-9a-f]+);`).FindAllStringSubmatch(scheme[1], -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, back := range []string{"back", "panel", "mark"} {
			for _, text := range []string{"text", "soft", "error", "warning", "note", "good", "link"} {
				if back == "mark" && text != "text" && text != "error" {
					continue
				}
				light, dark := max(colours[back], colours[text]), min(colours[back], colours[text])
				assert.GreaterOrEqual(t, (light+0.05)/(dark+0.05), 4.5, "%s on %s", text, back)
			}
		}
	}
}

// luminance is the relative luminance of a colour, as WCAG 2.1 defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	require.NoError(t, err)
	part := func(shift int, weight float64) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return weight * c / 12.92
		}
		return weight * math.Pow((c+0.055)/1.055, 2.4)
	}
	return part(16, 0.2126) + part(8, 0.7152) + part(0, 0.0722)
}
