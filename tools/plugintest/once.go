package plugintest

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// ends are the processes of the plugin that have ended in sequences of calls.
type ends struct {
	count int
	first *exitError
}

// note notes an end for which nothing but the plugin is to blame.
func (n *ends) note(end *exitError) {
	var crash *transport.CrashError
	if end == nil || end.at.m == nil || !errors.As(end.err, &crash) || crash.Signal == syscall.SIGKILL {
		return
	}
	if n.count++; n.first == nil {
		n.first = end
	}
}

// reportOnce reports processes that have ended where the same calls did not end others, unless some other
// finding is of an end: a process that ends takes all instances with it, however seldom it does.
func (e *env) reportOnce() {
	n := e.shared.ends
	if n.first == nil || slices.ContainsFunc(e.recorder.report.Findings, func(f Finding) bool { return exits(f.Code) || f.Code == codeRace }) {
		return
	}
	var crash *transport.CrashError
	errors.As(n.first.err, &crash)
	how := fmt.Sprintf("status %d", crash.Status)
	if crash.Signal != 0 {
		how = transport.SignalName(crash.Signal)
	}
	s := n.first.at
	f := s.finding(codeOnce, "its process ended in this call, or before it while there was none (%s); the same calls did not end others; %s in all", how, plural(n.count, "time"))
	f.Expected = "a process that goes on"
	e.add(f)
	n.count, n.first = 0, nil
}
