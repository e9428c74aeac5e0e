package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/report"
)

var update = flag.Bool("update", false, "write the golden files")

// reports are what the golden files show.
func reports() []*plugintest.Report {
	crash := plugintest.Finding{
		Code: "crash", Severity: plugintest.SeverityError, Check: "protocol", Library: "build/libcounter.so", Box: "Counter", Method: "echo",
		Message: "SIGSEGV (segmentation fault)", Expected: "a code", Fix: "the backtrace says where",
		Call: `Counter.echo("a\x00b") on instance 1`, Input: "0100010006000300610062", File: "src/counter.c", Line: 12, Function: "echo",
		Backtrace: []string{"echo (r=...) at src/counter.c:12", "nyash_plugin_invoke () at src/counter.c:40"}, Log: []string{"about to <crash>\x01"},
		HostCalls: []string{"Counter.echo: ConsoleBox.birth; 1 held, 0 lent", "Counter.echo: ConsoleBox.print on instance 101"},
	}
	prints := plugintest.Finding{
		Code: "prints", Severity: plugintest.SeverityWarning, Check: "lifecycle", Library: "build/libcounter.so",
		Message: `it printed "hello"`, Expected: "messages through host->log", Fix: "use host->log",
	}
	half := plugintest.Finding{
		Code: "half-done", Severity: plugintest.SeverityWarning, Check: "failures", Library: "build/libcounter.so", Box: "Counter", Method: "echo",
		Message: "it was refused, and get answers i64 1 since then", Expected: "nothing changed", Fix: "take it back", Call: `Counter.echo("a") on instance 1`,
		Steps: []plugintest.Step{
			{Thread: 1, Instance: "counter1", Call: "birth()", Answer: "a new instance"},
			{Thread: 1, Instance: "counter1", Call: `echo("a")`, Answer: "code -6", Note: "as its call 1 of another library, malloc, found no memory", Fault: true},
			{Thread: 1, Instance: "counter1", Call: "get()", Answer: "i64 1\x1b"},
		},
	}
	return []*plugintest.Report{
		{
			Library: "build/libcounter.so", Seed: 7, Findings: []plugintest.Finding{prints, crash, half},
			HostCalls: []plugintest.BoxCalls{{Box: "ConsoleBox", Calls: 12}, {Box: "TimeBox", Calls: 3, Refused: 2}},
			Checks: []plugintest.CheckReport{
				{Name: "lifecycle", Seconds: 1.25, Calls: 100, Findings: 1, Lines: []string{"something to tell"}},
				{Name: "io", Seconds: 0.001, Skipped: []string{"Counter has no open"}},
				{Name: "protocol", Seconds: 0.5, Calls: 50, Findings: 1},
				{Name: "failures", Seconds: 0.25, Calls: 30, Findings: 1},
			},
		},
		{Library: "build/libgood.so", Seed: 7, Findings: []plugintest.Finding{}, Checks: []plugintest.CheckReport{{Name: "check", Seconds: 0.01}}},
	}
}

func text(colour bool) func(io.Writer, []*plugintest.Report) error {
	return func(w io.Writer, reports []*plugintest.Report) error {
		t := &report.Text{W: w, Colour: colour, Moves: colour, Verbose: true}
		for _, r := range reports {
			for i := range r.Checks {
				t.Begin(r.Checks[i].Name)
				for j := range r.Findings {
					if r.Findings[j].Check == r.Checks[i].Name {
						t.Found(&r.Findings[j])
					}
				}
				t.End(&r.Checks[i])
			}
			t.Summary(r)
		}
		return nil
	}
}

func TestFormats_Golden(t *testing.T) {
	for name, write := range map[string]func(io.Writer, []*plugintest.Report) error{
		"report.json": report.JSON, "report.xml": report.JUnit, "report.sarif": report.SARIF, "report.txt": text(false), "colour.txt": text(true),
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, write(&b, reports()))
			path := "testdata/" + name
			if *update {
				require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), b.String())
		})
	}
}

func TestFormats_WellFormed(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, report.JUnit(&b, reports()))
	require.NoError(t, xml.Unmarshal(b.Bytes(), new(struct{})), "control characters of a plugin's log are gone")
	for _, write := range []func(io.Writer, []*plugintest.Report) error{report.JSON, report.SARIF} {
		b.Reset()
		require.NoError(t, write(&b, reports()))
		require.True(t, json.Valid(b.Bytes()))
	}
}

// Names of files and symbols hold whatever somebody gave them.
func TestHostileNames(t *testing.T) {
	r := &plugintest.Report{Library: "sp ace#1%zz\n::error::x.so", Findings: []plugintest.Finding{
		{Code: "crash", Severity: plugintest.SeverityError, Library: "sp ace#1%zz\n::error::x.so", Message: "it crashed", File: "a\n::error::b.c", Line: 3},
		{Code: "crash", Severity: plugintest.SeverityError, Library: "sp ace#1%zz\n::error::x.so", Box: "B\n::error::c", Message: "it crashed"},
	}}
	var out bytes.Buffer
	text := &report.Text{W: &out}
	for i := range r.Findings {
		text.Found(&r.Findings[i])
	}
	text.Summary(r)
	for line := range strings.Lines(out.String()) {
		assert.False(t, strings.HasPrefix(line, "::"), line)
	}
	out.Reset()
	require.NoError(t, report.SARIF(&out, []*plugintest.Report{r}))
	assert.Contains(t, out.String(), `"uri": "./sp%20ace%231%25zz%0A::error::x.so"`)
	assert.Contains(t, out.String(), `"uri": "./a%0A::error::b.c"`)
}

// TestJUnit_Printable: what a terminal would obey is written out, wherever it stands.
func TestJUnit_Printable(t *testing.T) {
	const name = "a\u009b2J\u202e\x1b.so"
	r := &plugintest.Report{Library: name, Checks: []plugintest.CheckReport{{Name: "check", Skipped: []string{name}}, {Name: "fuzz"}}, Findings: []plugintest.Finding{
		{Code: "crash", Check: "check", Severity: plugintest.SeverityError, Library: name, Box: name, Method: name, Message: name, Expected: name, Log: []string{name}},
	}}
	var out bytes.Buffer
	require.NoError(t, report.JUnit(&out, []*plugintest.Report{r}))
	require.NoError(t, xml.Unmarshal(out.Bytes(), new(struct{})))
	for _, c := range []string{"\u009b", "\u202e", "\x1b", "\uFFFD"} {
		assert.NotContains(t, out.String(), c)
	}
	assert.Contains(t, out.String(), `<testsuite name="a\u009b2J\u202e\x1b.so check"`)
}

// TestProgress: where a check is, is one line that does not wrap and that the next one clears; nothing
// of it is written where lines cannot be written over.
func TestProgress(t *testing.T) {
	show := func(text *report.Text) string {
		var out bytes.Buffer
		text.W = &out
		text.Begin("stress")
		text.At("stress", "Counter.add on 16 threads\x1b")
		text.End(&plugintest.CheckReport{Name: "stress", Calls: 7})
		return out.String()
	}
	assert.Equal(t, "stress …\r\x1b[Kstress Counter.add…\r\x1b[Kstress     ok, 7 calls, 0s\n", show(&report.Text{Moves: true, Columns: 20}))
	assert.Equal(t, "stress …\r\x1b[Kstress Counter.add on 16 threads\\x1b …\r\x1b[Kstress     ok, 7 calls, 0s\n", show(&report.Text{Moves: true}))
	assert.Equal(t, "stress     ok, 7 calls, 0s\n", show(&report.Text{}))
}
