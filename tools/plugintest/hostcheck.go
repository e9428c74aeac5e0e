package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// hostCheck has the library call its host in ways that happen seldom: with results that do
// not fit, with calls that fail, with handles that were lent before. What it does wrong with
// its host shows in all checks, and is reported by the one that meets it first.
var hostCheck = check{name: "host", summary: "calls of the host: what is lent, held, refused, too long, or fails", needs: needsConnect, run: checkHost}

func checkHost(e *env) error {
	e.lineUses()
	if err := e.learn(); err != nil {
		return err
	}
	if err := e.withWorker(workerOptions{}, stopThreads); err != nil {
		return err
	}
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] || b.singleton {
			continue
		}
		e.at(b.birth)
		if err := e.withWorker(workerOptions{}, func(w *worker) error { return hostBirths(w, b) }); err != nil {
			return err
		}
	}
	return e.each(func(m *method, _ argSample) error {
		for _, sample := range e.shared.samples[m] {
			if err := e.withWorker(workerOptions{}, func(w *worker) error { return hostMethod(w, m, sample) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// lineUses tells what the library may call, and what it asks for in vain.
func (e *env) lineUses() {
	var permitted, asked []string
	if e.config.Library != nil {
		for _, u := range e.config.Library.Uses {
			permitted = append(permitted, u.String())
		}
	}
	if text := e.plugin.own.text; text != nil {
		for _, u := range text.Uses {
			if e.config.Library == nil || !slices.ContainsFunc(e.config.Library.Uses, func(have registry.Use) bool { return have.Covers(u) }) {
				asked = append(asked, u.String())
			}
		}
	}
	e.line("uses: %s", list(permitted, "nothing in nyash.toml"))
	if len(asked) > 0 {
		e.line("asks for %s, which the tester permits and a host does only when nyash.toml has it", list(asked, ""))
	}
}

const (
	// lateLooks is how often is looked for calls after shutdown, lateStep apart.
	lateLooks = 100
	lateStep  = time.Millisecond
	// maxFailed is how many of a call's calls of the host are tried to fail.
	maxFailed = 8
)

// stopThreads calls everything, and waits for calls that threads of the library make after
// its shutdown.
func stopThreads(w *worker) error {
	if err := callEverything(w); err != nil {
		return err
	}
	if !w.host.usesThreads() {
		return w.finiAll()
	}
	if err := w.finiAll(); err != nil {
		return err
	}
	if err := w.shutdown(); err != nil {
		return err
	}
	for look := 0; look < lateLooks && w.unanswered() == 0 && !w.life.Lost(); look++ {
		select {
		case <-time.After(lateStep):
		case <-w.env.ctx.Done():
			return nil
		}
	}
	return nil
}

// hostBirths has calls of the host fail in a birth, and their results be long.
func hostBirths(w *worker, b *box) error {
	return inModes(func(mode hostMode) (calls int, err error) {
		s, err := w.birthStep(b)
		if err != nil {
			return 0, err
		}
		w.host.setMode(mode)
		a, err := w.do(s)
		w.host.setMode(hostMode{})
		if err != nil {
			return 0, err
		}
		calls = w.host.callsWithin()
		if id, err := contract.ParseBirth(a.written(), b.typeID); a.code == abi.OK && err == nil {
			w.instances = append(w.instances, instance{b, id})
		} else {
			w.checkAnswer(&s, a)
		}
		return calls, w.finiAll()
	})
}

// inModes makes a call with each way in which its calls of the host are answered.
func inModes(call func(hostMode) (calls int, err error)) error {
	calls, err := call(hostMode{})
	if err != nil || calls == 0 {
		return err
	}
	modes := []hostMode{{long: true}}
	for n := range min(calls, maxFailed) {
		modes = append(modes, hostMode{failAt: n + 1})
	}
	for _, mode := range modes {
		if _, err := call(mode); err != nil {
			return err
		}
	}
	return nil
}

// hostMethod is hostBirths for a method. One that is lent a box is followed by the others.
func hostMethod(w *worker, m *method, sample argSample) error {
	if slices.ContainsFunc(sample.values, ofHost) {
		if err := useLater(w, m, sample); err != nil {
			return err
		}
	}
	return inModes(func(mode hostMode) (calls int, err error) {
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return 0, err
		}
		w.host.setMode(mode)
		_, err = w.call(m, id, args)
		w.host.setMode(hostMode{})
		if err != nil {
			return 0, err
		}
		calls = w.host.callsWithin()
		return calls, w.finiAll()
	})
}

func ofHost(v tlv.Value) bool {
	_, ok := sampleNumber(v)
	return ok
}

// useLater calls the other methods on an instance that was lent a box.
func useLater(w *worker, m *method, sample argSample) error {
	id, args, err := w.prepare(m, sample)
	if err != nil {
		return err
	}
	if _, err := w.call(m, id, args); err != nil {
		return err
	}
	for _, other := range m.box.methods {
		if other == m || !w.shared.callable(other) {
			continue
		}
		args, err := w.encode(w.shared.sample(other).values, m.box, id)
		if err != nil {
			return err
		}
		if _, err := w.call(other, id, args); err != nil {
			return err
		}
	}
	return w.finiAll()
}
