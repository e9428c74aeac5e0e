package plugintest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // the contract is broken
	SeverityWarning Severity = "warning" // it works, and may break a host or another plugin
	SeverityNote    Severity = "note"    // worth a look
)

// Finding is one fault of a plugin.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`
	Library  string   `json:"library"`
	Box      string   `json:"box,omitempty"`
	Method   string   `json:"method,omitempty"`
	// Message is what happened, Expected what the contract asks for, Fix what to do.
	Message  string `json:"message"`
	Expected string `json:"expected,omitempty"`
	Fix      string `json:"fix"`
	// Call is the call that shows it, as text; Input is its message in hexadecimal,
	// for tlv-debug.
	Call  string `json:"call,omitempty"`
	Input string `json:"input,omitempty"`
	// File, Line and Function are the place in the plugin's source, or in
	// nyash.toml.
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Function string `json:"function,omitempty"`
	// Sequence is the shortest sequence of calls that shows it, as a script: see explore.
	Sequence string `json:"sequence,omitempty"`
	// Steps are what was called and answered in it, or on the threads of a finding of threads.
	Steps []Step `json:"steps,omitempty"`
	// Backtrace is the plugin's stack when it crashed, innermost frame first. Log is
	// the last lines that it logged or printed.
	Backtrace []string `json:"backtrace,omitempty"`
	Log       []string `json:"log,omitempty"`
	// HostCalls are the last calls of its host that it made before, and in which of its
	// methods.
	HostCalls []string `json:"host_calls,omitempty"`
}

// Place is where a finding is: the box and method, or the library.
func (f *Finding) Place() string {
	switch {
	case f.Box != "" && f.Method != "":
		return f.Box + "." + f.Method
	case f.Box != "":
		return f.Box
	case f.Method != "":
		return f.Method
	}
	return f.Library
}

// Report is the result of a run.
type Report struct {
	Library  string        `json:"library"`
	Seed     uint64        `json:"seed"`
	Checks   []CheckReport `json:"checks"`
	Findings []Finding     `json:"findings"`
	// HostCalls are the calls of its host that the library made, by box; empty for one
	// that makes none.
	HostCalls []BoxCalls `json:"host_calls,omitempty"`
}

// BoxCalls are the calls of a box that a library made of its host.
type BoxCalls struct {
	Box     string `json:"box"`
	Calls   int    `json:"calls"`
	Refused int    `json:"refused,omitempty"` // of them, those that uses does not permit
}

// HostSummary says on one line what the library called of its host; empty for nothing.
func (r *Report) HostSummary() string {
	if len(r.HostCalls) == 0 {
		return ""
	}
	parts := make([]string, len(r.HostCalls))
	for i, c := range r.HostCalls {
		parts[i] = fmt.Sprintf("%s %d", c.Box, c.Calls)
		if c.Refused > 0 {
			parts[i] += fmt.Sprintf(" (%d not permitted)", c.Refused)
		}
	}
	return "calls of its host: " + strings.Join(parts, ", ")
}

// addHostCalls adds what a worker's library called.
func (r *Report) addHostCalls(counts map[string]*BoxCalls) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		i, ok := slices.BinarySearchFunc(r.HostCalls, name, func(c BoxCalls, name string) int { return strings.Compare(c.Box, name) })
		if !ok {
			r.HostCalls = slices.Insert(r.HostCalls, i, BoxCalls{Box: name})
		}
		r.HostCalls[i].Calls += counts[name].Calls
		r.HostCalls[i].Refused += counts[name].Refused
	}
}

// CheckReport is the result of one check.
type CheckReport struct {
	Name     string   `json:"name"`
	Seconds  float64  `json:"seconds"`
	Calls    int      `json:"calls"`
	Findings int      `json:"findings"`
	Lines    []string `json:"lines,omitempty"`   // information
	Skipped  []string `json:"skipped,omitempty"` // what could not be checked, and why
}

// Count is the number of findings of a severity.
func (r *Report) Count(s Severity) (n int) {
	for i := range r.Findings {
		if r.Findings[i].Severity == s {
			n++
		}
	}
	return n
}

// Calls is the number of calls that were made.
func (r *Report) Calls() (n int) {
	for _, c := range r.Checks {
		n += c.Calls
	}
	return n
}

// Summary is the last line of a report.
func (r *Report) Summary() string {
	skipped := 0
	for _, c := range r.Checks {
		skipped += len(c.Skipped)
	}
	text := fmt.Sprintf("%s: %s", contract.Printable(r.Library), tally(r))
	if skipped > 0 {
		text += fmt.Sprintf(", %d skipped", skipped)
	}
	return fmt.Sprintf("%s (%s, %d calls, seed %d)", text, plural(len(r.Checks), "check"), r.Calls(), r.Seed)
}

func tally(r *Report) string {
	if len(r.Findings) == 0 {
		return "no findings"
	}
	var parts []string
	for _, s := range []Severity{SeverityError, SeverityWarning, SeverityNote} {
		if n := r.Count(s); n > 0 {
			parts = append(parts, plural(n, string(s)))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
