package plugintest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// errUntil ends a run at the finding that it was to go on for.
var errUntil = errors.New("the finding was made that the run was to go on for")

// recorder writes what one check finds to the report.
type recorder struct {
	mu     sync.Mutex // add may be called by several goroutines
	config *Config
	report *Report
	check  *CheckReport
	seen   seen
	silent bool                    // Progress is notified of findings only
	cancel context.CancelCauseFunc // ends the run; nil for what is not the run's own report
	// runtime is what the library brings; nil for nothing.
	runtime *goRuntime
}

// findingKey identifies a finding in a report: one for each code, place and
// function of the plugin's source is enough.
type findingKey struct{ code, place, function string }

// sourceKey identifies a crash by its place in the source, whatever method leads
// there.
type sourceKey struct {
	code, file string
	line       int
}

// seen are the findings that a report has.
type seen struct {
	keys    map[findingKey]bool
	sources map[sourceKey]bool
}

func newSeen() seen {
	return seen{make(map[findingKey]bool), make(map[sourceKey]bool)}
}

// add adds a finding to the report, unless its code is not wanted, or the report
// has one with the same key.
func (r *recorder) add(f Finding) {
	rule, ok := RuleOf(f.Code)
	if !ok {
		panic("no rule for " + f.Code)
	}
	if len(r.config.Only) > 0 && !slices.Contains(r.config.Only, f.Code) || slices.Contains(r.config.Skip, f.Code) {
		return
	}
	f.Severity, f.Check, f.Library = rule.Severity, r.check.Name, r.report.Library
	if isModule(r.config) {
		rule = rule.ofModule()
	}
	f.Expected, f.Fix = cmp.Or(f.Expected, rule.Expected), cmp.Or(f.Fix, rule.Fix)
	f.File = shownPath(f.File)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runtime.brings(&f) {
		return
	}
	key, source := findingKey{f.Code, f.Place(), f.Function}, sourceKey{f.Code, f.File, f.Line}
	if r.seen.keys[key] || len(f.Backtrace) > 0 && f.Line > 0 && r.seen.sources[source] {
		return
	}
	r.seen.keys[key], r.seen.sources[source] = true, true
	r.check.Findings++
	r.report.Findings = append(r.report.Findings, f)
	if r.config.Progress != nil {
		r.config.Progress.Found(&f)
	}
	if r.cancel != nil && r.config.Until != "" && f.Code == r.config.Until {
		r.cancel(errUntil)
	}
}

// has reports whether the report has a finding, whose function is not known.
func (r *recorder) has(code string, m *method) bool {
	return r.seen.keys[findingKey{code: code, place: m.String()}]
}

// hasErrorAt reports whether the report has an error of a method.
func (r *recorder) hasErrorAt(m *method) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.report.Findings, func(f Finding) bool { return f.Severity == SeverityError && f.Place() == m.String() })
}

// hasCode reports whether the report has a finding of this code.
func (r *recorder) hasCode(code string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.report.Findings, func(f Finding) bool { return f.Code == code })
}

// line adds information that is no finding.
func (r *recorder) line(format string, args ...any) {
	r.check.Lines = append(r.check.Lines, fmt.Sprintf(format, args...))
}

// skip adds what could not be checked, and why.
func (r *recorder) skip(format string, args ...any) {
	r.check.Skipped = append(r.check.Skipped, fmt.Sprintf(format, args...))
}

// counted adds to the number of calls.
func (r *recorder) counted(calls int) { r.check.Calls += calls }

// at notifies that the check has reached a method.
func (r *recorder) at(m *method) {
	if !r.silent {
		r.config.Progress.At(r.check.Name, m.String())
	}
}

func (r *recorder) begin() {
	if !r.silent {
		r.config.Progress.Begin(r.check.Name)
	}
}

// end adds the check to the report.
func (r *recorder) end(took time.Duration) {
	if note := r.runtime.note(); note != "" {
		r.skip("%s", note)
	}
	r.check.Seconds = took.Seconds()
	r.report.Checks = append(r.report.Checks, *r.check)
	if !r.silent {
		r.config.Progress.End(r.check)
	}
}
