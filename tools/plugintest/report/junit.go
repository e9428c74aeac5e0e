package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// The elements of JUnit's reports that CI systems agree on.
type (
	testSuites struct {
		XMLName  xml.Name    `xml:"testsuites"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Suites   []testSuite `xml:"testsuite"`
	}
	testSuite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Time     string     `xml:"time,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Name      string   `xml:"name,attr"`
		ClassName string   `xml:"classname,attr"`
		Time      string   `xml:"time,attr,omitempty"`
		Failure   *failure `xml:"failure"`
		Skipped   *skipped `xml:"skipped"`
	}
	failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	skipped struct {
		Message string `xml:"message,attr"`
	}
)

// JUnit writes reports as JUnit XML: a suite for each library and check, a case
// for each finding, and one where there was none.
func JUnit(w io.Writer, reports []*plugintest.Report) error {
	all := testSuites{}
	for _, r := range reports {
		for i := range r.Checks {
			s := suite(r, &r.Checks[i])
			all.Tests += s.Tests
			all.Failures += s.Failures
			all.Suites = append(all.Suites, s)
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suite(r *plugintest.Report, c *plugintest.CheckReport) testSuite {
	s := testSuite{Name: clean(r.Library + " " + c.Name), Time: fmt.Sprintf("%.3f", c.Seconds)}
	add := func(tc testCase) {
		tc.ClassName = clean(r.Library) + "." + c.Name
		tc.Name = clean(tc.Name)
		s.Cases = append(s.Cases, tc)
		s.Tests++
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Check != c.Name {
			continue
		}
		s.Failures++
		add(testCase{Name: f.Code + " " + f.Place(), Failure: &failure{Message: clean(f.Message), Type: string(f.Severity), Text: clean(details(f))}})
	}
	for _, text := range c.Skipped {
		s.Skipped++
		add(testCase{Name: "skipped: " + text, Skipped: &skipped{Message: clean(text)}})
	}
	if s.Failures == 0 {
		add(testCase{Name: c.Name, Time: s.Time})
	}
	return s
}

// details is a finding as lines of text.
func details(f *plugintest.Finding) string {
	var b strings.Builder
	t := Text{W: &b}
	t.Found(f)
	return b.String()
}

// clean writes out what a terminal or a log would obey, and drops what XML cannot hold beside that.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return '\uFFFD'
		}
		return r
	}, contract.PrintableLines(text))
}
