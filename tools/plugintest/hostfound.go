package plugintest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// What the library does wrong with its host is noted while it calls, and reported when the
// worker ends: the recorder is not for the threads on which it calls. The functions of this
// file that note something are called with mu held.

// finding is a finding in the method that asks.
func (a *asking) finding(code, format string, args ...any) Finding {
	if a.step != nil {
		return a.step.finding(code, format, args...)
	}
	return a.in.finding(code, format, args...)
}

// note notes a finding, one for each code and place.
func (h *host) note(f Finding) {
	key := findingKey{code: f.Code, place: f.Place()}
	if h.seen[key] {
		return
	}
	h.seen[key] = true
	f.HostCalls = h.records()
	h.found = append(h.found, f)
}

// missingUses is what the library called in one place and may not.
type missingUses struct {
	at      Finding
	entries []registry.Use
}

// maxMissing is how many entries of uses are told of one place.
const maxMissing = 16

// refuse notes that the library asks for what it may not call, and reports whether that is
// its own doing: the name may be one that the tester has passed.
func (h *host) refuse(in *asking, box, method string) bool {
	args := h.passed
	if in.step != nil {
		args = in.step.args
	}
	if bytes.Contains(args, []byte(box)) {
		return false
	}
	code := codeUses
	if in.in.name == loading && in.in.box == nil {
		code = codeUsesLoad
	}
	at := in.finding(code, "")
	entry := entryOf(box, method)
	for _, m := range h.missing {
		if m.at.Code != at.Code || m.at.Place() != at.Place() {
			continue
		}
		if len(m.entries) < maxMissing {
			m.entries = addUse(m.entries, entry)
		}
		return true
	}
	h.missing = append(h.missing, &missingUses{at, []registry.Use{entry}})
	return true
}

// loading stands for the method in which connect and init call.
const loading = "init"

// misused notes the use of an instance that the library neither holds nor is lent. how says
// what was done with it.
func (h *host) misused(in *asking, i *hostInstance, how string) {
	what := fmt.Sprintf("the %s with id %d", i.box.name, i.id)
	switch {
	case i.wasLent:
		f := i.lentTo.finding(codeHandleKept, "it keeps %s that it was lent: after the call it was %s in %v", what, how, in.in)
		f.Call = in.finding("", "").Call
		h.note(f)
	case i.passedOn:
		h.note(in.finding(codeHoldEnded, "%s was %s after a call had passed it on", what, how))
	case i.wasHeld:
		h.note(in.finding(codeHoldEnded, "%s was %s after its fini", what, how))
	}
}

// finiUnheld notes a fini for an instance that the library does not hold.
func (h *host) finiUnheld(in *asking, i *hostInstance) {
	what := fmt.Sprintf("the %s with id %d", i.box.name, i.id)
	switch {
	case i.lent > 0:
		h.note(in.finding(codeFiniUnheld, "it called fini for %s, which it is only lent", what))
	case i.wasLent:
		h.misused(in, i, "given up")
	case i.passedOn:
		h.note(in.finding(codeFiniUnheld, "it called fini for %s, which a call had passed on", what))
	case i.wasHeld:
		h.note(in.finding(codeFiniUnheld, "it called fini twice for %s", what))
	}
}

// nestedTooDeep notes calls of the library to itself that have no end.
func (h *host) nestedTooDeep(in *asking) {
	h.note(in.finding(codeEndless, "it called itself through its host, %d calls deep", in.depth))
}

// wrongArgs notes arguments that hosts refuse, unless they can be what the tester passed.
func (h *host) wrongArgs(n *hostCall, err error) {
	if !h.faithful(n.in) {
		return
	}
	h.note(n.in.finding(codeHostArgs, "it called %s with arguments that a host refuses: %v; the message is %s", n.record.what, err, hexText(n.call.Message())))
}

// faithful reports whether the tester called as the method is declared: what the library
// then passes on is its own.
func (h *host) faithful(a *asking) bool {
	switch {
	case a.step != nil:
	case a.in.name == ownThread: // which may pass on what came with a call
		return len(h.passed) <= len(emptyMessage)
	default:
		return true
	}
	values, err := tlv.Decode(a.step.args)
	if err != nil {
		return false
	}
	if len(values) == 0 {
		return true
	}
	d := a.in.declared
	if d == nil || !d.ArgsDeclared || len(values) > len(d.Args) {
		return false
	}
	for i, v := range values {
		if v.Tag() != d.Args[i].To || v.Tag() == tlv.TagHandle { // of which box is not said
			return false
		}
	}
	return true
}

// dropped notes that the library has not asked again for an answer that was too long.
func (n *hostCall) dropped() {
	n.in.keeps = false
	if n.ending {
		return
	}
	n.note(n.in.finding(codeAnswerLost, "it was answered that the result of %s needs a larger buffer, and did not call again", n.record.what))
}

// held notes the holds that are left when all the library's instances have ended and it was
// shut down.
func (h *host) held() {
	h.ending = true
	for _, kept := range h.carried {
		kept.Drop()
	}
	for _, a := range h.threads {
		a.kept.Drop()
	}
	if len(h.own) > 0 {
		return
	}
	type key struct {
		place string
		box   *hostBox
	}
	left := make(map[key]int)
	var at []Finding
	for _, i := range h.instances.byID {
		for _, in := range i.held {
			k := key{in.String(), i.box}
			if left[k]++; left[k] == 1 {
				at = append(at, in.finding(codeHoldLeak, ""))
				at[len(at)-1].Message = i.box.name
			}
		}
	}
	slices.SortFunc(at, func(a, b Finding) int { return strings.Compare(a.Place()+a.Message, b.Place()+b.Message) })
	for _, f := range at {
		n := left[key{f.Place(), h.boxes[f.Message]}]
		f.Message = fmt.Sprintf("%s of %s that it was given here %s not given up after shutdown, and all its instances were ended before",
			plural(n, "hold"), f.Message, areOrIs(n))
		h.note(f)
	}
}

func areOrIs(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// findings are what was noted; each is returned once.
func (h *host) findings() []Finding {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.missing {
		f := m.at
		f.Message = fmt.Sprintf("it calls what uses does not list: write %s into %s, and into the self-description, beside what is there",
			usesLine(m.entries), h.worker.libraryTable())
		h.note(f)
	}
	found := h.found
	h.found, h.missing = nil, nil
	return found
}

// checkHostEnd looks, after shutdown, at what the library has not given up, and whether it
// still calls.
func (w *worker) checkHostEnd() {
	if !w.description().Connects {
		return
	}
	late := w.unansweredSoon()
	w.host.mu.Lock()
	defer w.host.mu.Unlock()
	w.host.held()
	if late > 0 {
		w.host.note(libraryFunc("shutdown").finding(codeLateCall, "a thread that it left behind called its host after shutdown (%s)", plural(int(late), "call")))
	}
}

// A thread that was left behind may need a while before it calls again: that is waited for after the first
// shutdowns, where threads of the library's own have called at all.
const (
	lateCallTime  = 100 * time.Millisecond
	lateCallLooks = 10 // of a run
	lateCallEvery = 2 * time.Millisecond
)

// unansweredSoon is how often the library has called its host after shutdown, or calls it soon.
func (w *worker) unansweredSoon() (late uint64) {
	if late = w.unanswered(); late > 0 || !w.host.usesThreads() || w.shared.lookedAt.count("after shutdown") > lateCallLooks {
		return late
	}
	every := time.NewTicker(lateCallEvery)
	defer every.Stop()
	end := time.After(lateCallTime)
	for late == 0 {
		select {
		case <-every.C:
			late = w.unanswered()
		case <-end:
			return late
		case <-w.ctx.Done():
			return late
		}
	}
	return late
}

// reportHost reports what the host of a worker that has ended has noted.
func (w *worker) reportHost() {
	if !w.host.silent {
		w.report.addHostCalls(w.host.counts)
	}
	found := w.host.findings()
	if w.options.quiet {
		return
	}
	for _, f := range found {
		w.shared.endless = w.shared.endless || f.Code == codeEndless
		w.add(f)
	}
}

// reportLoad reports why a library cannot be loaded: where it was refused a call, that and
// nothing that follows from it.
func (w *worker) reportLoad(f Finding) {
	found := w.host.findings()
	for _, have := range found {
		if have.Code == codeUsesLoad && (f.Code == codeInit || f.Code == codeConnect) {
			f = Finding{}
		}
		w.add(have)
	}
	if f.Code != "" {
		w.add(f)
	}
}

// libraryTable is where uses of the library stands.
func (w *worker) libraryTable() string {
	table := func(name string) string { return "[plugins." + name + "] of nyash.toml" }
	switch {
	case w.config.Library != nil && len(w.config.Library.Boxes) > 0:
		return table(w.config.Library.Boxes[0].Name)
	case len(w.plugin.boxes) > 0:
		return table(w.plugin.boxes[0].name)
	}
	return "the library's table of nyash.toml"
}
