package plugintest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// leftCodes are the findings that are made of what code of the plugin leaves. A call that leaves
// descriptors open, or processes, is no fault as long as they are gone in the end.
var leftCodes = map[probe.Part]string{
	probe.FloatControl: codeFloat,
	probe.SignalMask:   codeSignalsBlocked,
	probe.SignalStack:  codeSignalHandler,
	probe.ThreadLocale: codeLocale,
	probe.Locale:       codeLocale,
	probe.Environment:  codeEnvironment,
	probe.Umask:        codeUmask,
	probe.Directory:    codeDirectory,
	probe.Handlers:     codeSignalHandler,
	probe.Random:       codeRandom,
	probe.Timers:       codeTimer,
	probe.Code:         codeWritableCode,
	probe.Standard:     codeStandard,
}

// leftovers is what is known of what the plugin's code leaves.
type leftovers struct {
	// once are the findings at functions of the library that one worker has shown. Another has
	// to show them, too.
	once map[findingKey]bool
	// blamed are the methods that leave something, by the finding's code.
	blamed  map[string][]*method
	replays int // that found nothing more
}

func newLeftovers() *leftovers {
	return &leftovers{once: make(map[findingKey]bool), blamed: make(map[string][]*method)}
}

// maxVainReplays is how often calls are made again in vain to see which of them left something.
const maxVainReplays = 8

// looksForLeft tells whether what is left is looked for in this worker.
func (w *worker) looksForLeft() bool {
	return !w.plugin.module && !w.options.quiet && w.options.wrapper == nil && !w.options.unload && !w.life.Lost()
}

// reportLeft reports what loading and the worker's calls have left. No call may be under way; it
// comes before shutdown.
func (w *worker) reportLeft() (now []probe.Change) {
	if !w.looksForLeft() {
		return nil
	}
	left, err := w.life.left()
	if err != nil || !left.Known {
		return nil
	}
	for _, c := range left.Loading {
		w.reportAgain(libraryFunc("init"), c)
	}
	parts := partsOf(left.Now)
	for _, call := range left.Calls {
		parts = append(parts, partsOf(call.Changes)...)
	}
	parts = slices.DeleteFunc(parts, func(p probe.Part) bool {
		return p == probe.Files || p == probe.Children || w.explainsLeft(leftCodes[p])
	})
	if len(parts) > 0 && len(w.trace) > 0 && len(w.trace) <= maxReplay && w.shared.left.replays < maxVainReplays {
		w.findLeavers(parts)
	}
	return left.Now
}

func partsOf(changes []probe.Change) (parts []probe.Part) {
	for _, c := range changes {
		parts = append(parts, c.Part)
	}
	return parts
}

// explainsLeft tells whether the worker's calls have one that is known to leave something of this
// code.
func (w *worker) explainsLeft(code string) bool {
	blamed := w.shared.left.blamed[code]
	return len(blamed) > 0 && slices.ContainsFunc(w.trace, func(t traced) bool { return slices.Contains(blamed, t.m) })
}

// reportAgain reports a change by a function of the library when another worker has shown it
// before.
func (w *worker) reportAgain(m *method, c probe.Change) {
	code := leftCodes[c.Part]
	if code == "" {
		return
	}
	if c.Part == probe.Handlers {
		own := w.runtime.handled(c.Names)
		if len(own) == 0 {
			return
		}
		c.Text = "it handles " + list(cutList(own, 6), "")
	}
	key := findingKey{code: code, place: m.String()}
	if !w.shared.left.once[key] {
		w.shared.left.once[key] = true
		return
	}
	w.add(m.finding(code, "%s", contract.Printable(c.Text)))
}

// findLeavers makes the worker's calls again, in another, to see which of them leave something of
// these parts.
func (w *worker) findLeavers(parts []probe.Part) {
	again := w.startQuiet(workerOptions{resolves: w.options.resolves})
	if again == nil {
		return
	}
	defer again.close()
	found := false
	w.shared.left.replays++
	for _, t := range w.trace {
		s := t.step
		a, err := again.again(&t, layoutWatch)
		if err != nil {
			return // another finding says why
		}
		if a.damage&damageLeft == 0 {
			continue
		}
		left, err := again.life.left()
		if err != nil {
			return
		}
		for _, call := range left.Calls {
			found = again.reportLeaver(w, &s, call.Changes, parts) || found
		}
	}
	if found {
		w.shared.left.replays--
		return
	}
	// Nothing that a call was seen to do: a thread of the plugin's own may have.
	left, err := again.life.left()
	if err != nil {
		return
	}
	for _, c := range left.Now {
		if code := leftCodes[c.Part]; code != "" && slices.Contains(parts, c.Part) {
			w.add(Finding{Code: code, Message: contract.Printable(c.Text)})
		}
	}
}

// reportLeaver reports what the call has left, in the replay of another worker's calls.
func (w *worker) reportLeaver(of *worker, s *step, changes []probe.Change, parts []probe.Part) (found bool) {
	for _, c := range changes {
		code := leftCodes[c.Part]
		if code == "" || !slices.Contains(parts, c.Part) {
			continue
		}
		found = true
		if slices.Contains(w.shared.left.blamed[code], s.m) {
			continue
		}
		w.shared.left.blamed[code] = append(w.shared.left.blamed[code], s.m)
		f := s.finding(code, "%s", contract.Printable(c.Text))
		f.Call = showCall(s)
		of.add(f)
	}
	return found
}

// reportLeftByShutdown reports what shutdown has left beyond what there was before.
func (w *worker) reportLeftByShutdown(before []probe.Change) {
	if !w.looksForLeft() {
		return
	}
	left, err := w.life.left()
	if err != nil || !left.Known {
		return
	}
	shutdown := libraryFunc("shutdown")
	for _, c := range left.Shutdown {
		w.reportAgain(shutdown, c)
	}
	for _, c := range left.Now {
		same := func(was probe.Change) bool {
			// The text of a timer has the time that is left, and that of code how much there is.
			return was.Part == c.Part && (was.Text == c.Text || c.Part == probe.Timers || c.Part == probe.Code)
		}
		if !slices.ContainsFunc(before, same) {
			w.reportAgain(shutdown, c)
		}
		switch c.Part {
		case probe.Files:
			w.reportOpenFiles()
		case probe.Children:
			w.add(shutdown.finding(codeChild, "%s of the plugin's: %s", plural(len(c.Names), "process"), contract.Printable(c.Text)))
		}
	}
}

// reportOpenFiles reports descriptors that are open after shutdown, at the method that opened
// one of them, if another worker has them too.
func (w *worker) reportOpenFiles() {
	if len(w.trace) > maxReplay || w.explainsLeft(codeFiles) || w.shared.left.replays >= maxVainReplays || w.recorder.hasCode(codeFiles) {
		return
	}
	again := w.startQuiet(workerOptions{resolves: w.options.resolves})
	if again == nil {
		return
	}
	defer again.close()
	w.shared.left.replays++
	openers := make(map[string]step) // by descriptor, the call that opened it last
	for _, t := range w.trace {
		s := t.step
		a, err := again.again(&t, layoutWatch)
		if err != nil {
			return
		}
		if a.damage&damageLeft == 0 {
			continue
		}
		left, err := again.life.left()
		if err != nil {
			return
		}
		for _, call := range left.Calls {
			for _, c := range call.Changes {
				for _, name := range c.Names {
					openers[descriptor(name)] = s
				}
			}
		}
	}
	if again.shutdown() != nil {
		return
	}
	left, err := again.life.left()
	if err != nil {
		return
	}
	i := slices.IndexFunc(left.Now, func(c probe.Change) bool { return c.Part == probe.Files })
	if i < 0 {
		return
	}
	names := left.Now[i].Names
	text := fmt.Sprintf("%s open after shutdown: %s", plural(len(names), "descriptor"), contract.Printable(strings.Join(cutList(names, 4), "; ")))
	for _, name := range names {
		s, ok := openers[descriptor(name)]
		if !ok {
			continue
		}
		w.shared.left.blamed[codeFiles] = append(w.shared.left.blamed[codeFiles], s.m)
		w.add(s.finding(codeFiles, "%s", text))
		return
	}
	w.add(libraryFunc("shutdown").finding(codeFiles, "%s", text))
}

// descriptor is the number of a descriptor that a change names.
func descriptor(name string) string {
	number, _, _ := strings.Cut(name, ":")
	return number
}
