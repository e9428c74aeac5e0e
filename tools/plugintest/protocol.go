package plugintest

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// protocolCheck makes calls that no correct host makes, and compares short buffers
// and batches with ordinary calls.
var protocolCheck = check{name: "protocol", summary: "malformed messages, short result buffers, unknown ids, and batches", needs: needsBoxes, run: protocol}

func protocol(e *env) error {
	if err := e.learn(); err != nil {
		return err
	}
	for _, b := range e.plugin.boxes {
		if err := protocolOfBox(e, b); err != nil {
			return err
		}
	}
	return e.each(func(m *method, sample argSample) error {
		if err := e.withWorker(workerOptions{}, func(w *worker) error { return shortBuffers(w, m, sample) }); err != nil {
			return err
		}
		if !sample.works {
			return nil
		}
		answers, err := series(e, m, sample)
		if len(answers) == 0 || err != nil {
			return err
		}
		if err := shortSideEffects(e, m, sample, answers); err != nil {
			return err
		}
		return compareBatches(e, m, sample, answers)
	})
}

func protocolOfBox(e *env, b *box) error {
	if e.shared.birthBroken[b] {
		e.skip("%s: there are no instances", b.name)
		return nil
	}
	for _, m := range slices.Concat([]*method{b.birth}, b.methods, []*method{b.fini}) {
		if e.shared.broken[m] {
			e.skip("%v: ordinary calls of it crash, hang or end its process", m)
			continue
		}
		e.at(m)
		if err := (&hostile{env: e, m: m}).run(); err != nil {
			return err
		}
	}
	if err := e.withWorker(workerOptions{}, func(w *worker) error { return shortBirths(w, b) }); err != nil {
		return err
	}
	return e.withWorker(workerOptions{}, func(w *worker) error { return callUnknownIDs(w, b) })
}

// shortBirths makes births with too little room for an id. No host gives a birth so little, and one that
// never looks at it is left alone.
func shortBirths(w *worker, b *box) error {
	if b.singleton {
		return nil
	}
	for _, room := range []int{0, 1, 2, 3, 7, 8, 11, 15} {
		s, err := w.birthStep(b)
		if err != nil {
			return err
		}
		s.resultSize = room
		a, err := w.do(s)
		if err != nil {
			return err
		}
		switch {
		case room == 0 && a.code != abi.ErrShortBuffer:
			return nil
		case a.damage != 0 || a.code == abi.ErrShortBuffer:
			w.checkAnswer(&s, a)
		case a.code == abi.OK && a.length > uint64(room):
			f := s.finding(codeLength, "it answered success and a length of %d", a.length)
			f.Expected = fmt.Sprintf("at most %d", room)
			w.add(f)
		case a.code == abi.OK:
			w.noteBirth(b, a)
		}
		if _, err := w.birth(b); err != nil {
			return err
		}
	}
	return w.finiAll()
}

// maxExits is how often a method may end its process before it is left alone.
const maxExits = 3

// hostile calls a method with every mutant of a message.
type hostile struct {
	*env
	m        *method
	mutants  []mutant // still to be sent
	accepted []mutant // malformed ones that succeeded
	refused  int      // answers that say that the message is wrong
	wrongly  *mutant  // the first that is refused with a code that says something else
	exits    int      // of workers
}

func (h *hostile) run() error {
	sample := h.shared.sample(h.m)
	base := h.plugin.example(sample, h.m.box)
	if sample.works && sample.usesInstances() {
		// The instances are those that there are when it is sent.
		if err := h.withWorker(workerOptions{}, func(w *worker) (err error) {
			base, err = w.prepared(h.m, sample)
			return err
		}); err != nil {
			return err
		}
	}
	h.mutants = mutantsOf(base, h.random)
	for len(h.mutants) > 0 && h.exits < maxExits {
		left := len(h.mutants)
		if err := h.withWorker(workerOptions{}, func(w *worker) error { return h.send(w, sample) }); err != nil {
			return err
		}
		if len(h.mutants) == left {
			break // no worker, or no instance
		}
	}
	// A method that never refuses anything does not read its arguments; birth and
	// fini need not.
	if h.refused > 0 && len(h.accepted) > 0 && h.m != h.m.box.birth && h.m != h.m.box.fini {
		f := h.m.finding(codeAccepted, "it answered success to %s%s", h.accepted[0].what, andOthers(len(h.accepted)-1))
		f.Input = hexText(h.accepted[0].message)
		h.add(f)
	}
	if h.refused > 0 && h.wrongly != nil {
		return h.wrongRefusal(sample, h.wrongly)
	}
	return nil
}

// andOthers says how many more there are than the one that is shown.
func andOthers(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (and to another)"
	}
	return fmt.Sprintf(" (and to %d others)", n)
}

// send sends mutants in one worker until it exits.
func (h *hostile) send(w *worker, sample argSample) (err error) {
	m, id := h.m, uint32(0)
	if m != m.box.birth {
		if id, _, err = w.prepare(m, sample.orNone()); err != nil {
			return err
		}
	}
	for len(h.mutants) > 0 {
		mu := h.mutants[0]
		h.mutants = h.mutants[1:]
		a, err := callMutant(w, m, id, mu)
		if err != nil {
			h.exits++
			return err
		}
		switch {
		case a.code == abi.ErrInvalidArgs || a.code == abi.ErrInvalidUTF8 || a.code == abi.ErrVersionMismatch:
			h.refused++
		case a.code == abi.OK && mu.malformed:
			h.accepted = append(h.accepted, mu)
		case h.wrongly == nil && refusesWrongly(a, &mu):
			h.wrongly = &mu
		}
		if m == m.box.fini && a.code == abi.OK {
			w.instances = nil
			if id, err = w.birth(m.box); err != nil {
				return err
			}
		}
	}
	return w.finiAll()
}

// prepared is a sample's message without blobs, on a new instance.
func (w *worker) prepared(m *method, sample argSample) ([]byte, error) {
	id, _, err := w.prepare(m, sample)
	if err != nil {
		return nil, err
	}
	return w.encode(sample.withoutBlobs(), m.box, id)
}

// orNone is the sample if it works, and none otherwise.
func (s argSample) orNone() argSample {
	if s.works {
		return s
	}
	return argSample{}
}

// callMutant makes one call, whose code is not checked.
func callMutant(w *worker, m *method, id uint32, mu mutant) (*answer, error) {
	s := m.step(id, mu.message)
	if len(mu.message) == 0 {
		s.layout = layoutNullArgs
	}
	a, err := w.do(s)
	if err != nil {
		return nil, err
	}
	switch m {
	case m.box.birth:
		if a.code == abi.OK && a.length == 4 {
			w.instances = append(w.instances, instance{m.box, binary.LittleEndian.Uint32(a.buf)})
		}
	case m.box.fini:
	default:
		w.checkAnswer(&s, a)
		w.takeOver(m, a, s.args)
	}
	return a, nil
}

// callUnknownIDs calls types, methods and instances that do not exist.
func callUnknownIDs(w *worker, b *box) error {
	id, err := w.birth(b)
	if err != nil {
		return err
	}
	// Far from ordinary ids: a plugin may have methods that it does not describe.
	for _, unknown := range []uint32{0xffff_fffe, 0x7fff_ffff, 0x8000_0000, 0x1234_5678} {
		if slices.ContainsFunc(b.methods, func(m *method) bool { return m.id == unknown }) {
			continue
		}
		s := (&method{box: b, name: fmt.Sprintf("method %d", unknown), id: unknown}).step(id, emptyMessage)
		a, err := w.do(s)
		if err != nil {
			return err
		}
		if a.code == abi.OK && len(b.methods) > 0 {
			w.add(Finding{Code: codeAnyMethod, Box: b.name, Call: showCall(&s), Message: fmt.Sprintf("it answered %v to method %d", a, unknown)})
		}
		if refusesMethod.wrong(a) {
			w.add(Finding{Code: codeRefusal, Box: b.name, Call: showCall(&s), Message: fmt.Sprintf("it answered code %d to method %d, which does not exist", int32(a.code), unknown), Expected: "code -3"})
		}
	}
	for _, m := range b.methods {
		sample := w.shared.sample(m)
		if !w.shared.callable(m) || !sample.works {
			continue
		}
		if err := callUnknownInstances(w, m, sample); err != nil {
			return err
		}
	}
	return w.finiAll()
}

// callUnknownInstances calls a method that works for other instances and types.
func callUnknownInstances(w *worker, m *method, sample argSample) error {
	id, args, err := w.prepare(m, sample)
	if err != nil {
		return err
	}
	for _, unknown := range unknownIDs {
		s := m.step(unknown, args)
		a, err := w.do(s)
		if err != nil {
			return err
		}
		w.checkAnswer(&s, a)
		w.takeOver(m, a, args)
		w.checkRefusal(&refusesInstance, &s, a)
	}
	for _, other := range []uint32{m.box.typeID + 1000, 0xffff_fff0} {
		if w.plugin.boxOf(other) != nil {
			continue
		}
		s := m.step(id, args)
		s.typeID = other
		a, err := w.do(s)
		if err != nil {
			return err
		}
		w.takeOver(m, a, args)
		if a.code == abi.OK {
			w.add(Finding{Code: codeAnyType, Box: m.box.name, Call: showCall(&s), Message: fmt.Sprintf("it answered %v for type %d", a, other)})
			return nil
		}
		w.checkRefusal(&refusesType, &s, a)
	}
	return nil
}

// shortBuffers calls a method with result buffers around the size of its result,
// and around the sizes at which parts of a message end.
func shortBuffers(w *worker, m *method, sample argSample) error {
	id, args, err := w.prepare(m, sample)
	if err != nil {
		return err
	}
	if err := shortBuffersOf(w, m, id, args); err != nil {
		return err
	}
	// Once more where the instance and the library hold something, after each call: there is more to answer.
	for _, other := range m.box.methods {
		if s := w.shared.sample(other); other != m && s.works && w.shared.callable(other) && !w.shared.slow[other] {
			with, err := w.encode(s.values, m.box, id)
			if err != nil {
				return ignoreBirth(err)
			}
			if _, err := w.call(other, id, with); err != nil {
				return nil // it shows elsewhere
			}
			for _, size := range []int{0, 8} {
				if _, err := callShort(w, m.step(id, args).withResultSize(size)); err != nil {
					return err
				}
			}
		}
	}
	if err := shortBuffersOf(w, m, id, args); err != nil {
		return err
	}
	return w.finiAll()
}

func shortBuffersOf(w *worker, m *method, id uint32, args []byte) error {
	full, err := w.call(m, id, args)
	if err != nil {
		return err
	}
	sizes := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16}
	if full.code == abi.OK && !full.isVoid() {
		for _, n := range []int{int(full.length) - 1, int(full.length), int(full.length) + 1} {
			if n > 0 && n < contract.InitialResultSize {
				sizes = append(sizes, n)
			}
		}
	}
	for _, size := range sizes {
		if _, err := callShort(w, m.step(id, args).withResultSize(size)); err != nil {
			return err
		}
	}
	return nil
}

// callShort makes a call with retries, and checks each answer; one without a
// result buffer also with NULL for it. The answer is the last.
func callShort(w *worker, s step) (a *answer, err error) {
	layouts := []layout{0}
	if s.resultSize == 0 {
		layouts = append(layouts, layoutNullResult)
	}
	check := func(s step) (*answer, error) {
		a, err := w.do(s)
		if err == nil {
			w.checkAnswer(&s, a)
			w.takeOver(s.m, a, s.args)
		}
		return a, err
	}
	for _, layout := range layouts {
		again := s
		again.layout = layout
		if a, err = check(again); err != nil {
			return nil, err
		}
		again.layout = 0
		if a, err = retry(&again, a, check); err != nil {
			return nil, err
		}
		if asksForMore(&again, a) {
			w.add(keptAsking(&again, a))
		}
	}
	return a, nil
}

// seriesCalls is how many calls a series makes.
const seriesCalls = 4

// addStable adds the finding that calls answer something else than a series, if they and the series do so each
// time, one after the other: answers may be of chance, or of the time. That is made only now: for most
// methods there is nothing to find.
func addStable(e *env, m *method, sample argSample, answers []answerKey, differs func() (*Finding, error)) error {
	f, err := differs()
	if f == nil || err != nil {
		return err
	}
	for range agreeing {
		alone, err := series(e, m, sample)
		if err != nil || !slices.Equal(answers, alone) {
			return err
		}
		again, err := differs()
		if again == nil || err != nil || again.Message != f.Message {
			return err
		}
	}
	e.add(*f)
	return nil
}

// series are the answers to a few calls on a new instance. The arguments of every other begin behind
// memory that cannot be touched.
func series(e *env, m *method, sample argSample) (answers []answerKey, err error) {
	err = e.withWorker(workerOptions{}, func(w *worker) error {
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return err
		}
		for i := range seriesCalls {
			a, err := w.callIn(m, id, args, []layout{0, layoutAtStart}[i%2])
			if err != nil {
				return err
			}
			answers = append(answers, a.key())
			w.shared.countHostCalls(m, w.host.callsWithin(), len(answers) == 1)
		}
		return w.finiAll()
	})
	return answers, err
}

// shortSeries is series with a call without a result buffer before each call, and one with a byte less
// than it asks for; nil where one of the former does not answer short buffer.
func shortSeries(e *env, m *method, sample argSample) (answers []answerKey, err error) {
	err = e.withWorker(workerOptions{}, func(w *worker) error {
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return err
		}
		for range seriesCalls {
			short, err := w.do(m.step(id, args).withResultSize(0))
			if err != nil {
				return err
			}
			if short.code != abi.ErrShortBuffer {
				return w.finiAll()
			}
			a, err := w.oneByteLess(m, id, args, short)
			if err != nil {
				return err
			}
			answers = append(answers, a.key())
		}
		return w.finiAll()
	})
	if len(answers) < seriesCalls {
		return nil, err
	}
	return answers, err
}

// oneByteLess makes a call with a byte less than it asked for, and then as a host does. What asks for
// more than it needs may succeed at once.
func (w *worker) oneByteLess(m *method, id uint32, args []byte, short *answer) (*answer, error) {
	s := m.step(id, args)
	if short.length <= 1 || short.length > contract.DefaultMaxResult || w.plugin.own.init.Connects {
		return w.call(m, id, args)
	}
	s = s.withResultSize(int(short.length) - 1)
	a, err := w.do(s)
	if err != nil {
		return nil, err
	}
	if w.checkAnswer(&s, a); a.code == abi.ErrShortBuffer {
		return w.call(m, id, args)
	}
	w.takeOver(m, a, args)
	return a, nil
}

// shortSideEffects compares the answers of a series with those of a short series. A
// call that answered short buffer must have changed nothing.
func shortSideEffects(e *env, m *method, sample argSample, want []answerKey) error {
	if e.recorder.has(codeOverrun, m) {
		return nil // a room of a byte too small is then filled, too
	}
	return addStable(e, m, sample, want, func() (*Finding, error) {
		have, err := shortSeries(e, m, sample)
		if have == nil || err != nil {
			return nil, err
		}
		for i := range want {
			if want[i] == have[i] {
				continue
			}
			s := m.step(1, e.plugin.example(sample, m.box)).withResultSize(0)
			f := m.finding(codeShortEffect, "call %d answers %v, and %v after calls that answered short buffer", i+1, want[i], have[i])
			f.Call = showCall(&s)
			return &f, nil
		}
		return nil, nil
	})
}

// compareBatches compares the answers in a batch with those of single calls. Hosts make none
// for a box that has a table.
func compareBatches(e *env, m *method, sample argSample, single []answerKey) error {
	if m.box.table > 0 || !e.plugin.exportsBatch() || e.plugin.module {
		return nil
	}
	if e.shared.hostCalls[m] < 0 {
		e.skip("%v in a batch: how often it calls its host differs from call to call", m)
		return nil
	}
	return addStable(e, m, sample, single, func() (differs *Finding, err error) {
		err = e.withWorker(workerOptions{}, func(w *worker) (err error) {
			if differs, err = wholeBatch(w, m, sample, single); err != nil {
				return err
			}
			if err := shortBatch(w, m, sample); err != nil {
				return err
			}
			return w.finiAll()
		})
		return differs, err
	})
}

// callBatch makes one call several times in a batch, with these result sizes.
func callBatch(w *worker, m *method, sample argSample, sizes ...int) (*batch, error) {
	id, args, err := w.prepare(m, sample)
	if err != nil {
		return nil, err
	}
	b := &batch{}
	for _, size := range sizes {
		b.Calls = append(b.Calls, batchCall{TypeID: m.box.typeID, Method: m.id, Instance: id, Args: args, Room: size})
	}
	w.counted(len(sizes))
	s := m.step(id, args).withResultSize(contract.BatchResultSize)
	s.concurrent = true // it cannot be replayed
	if err := w.invokeBatch(b, s); err != nil {
		return nil, err
	}
	if b.Damage != 0 {
		w.add(m.finding(codeOverrun, "in a batch, it wrote past the end of a result buffer"))
	}
	return b, nil
}

func batchAnswer(c *batchCall) *answer {
	return &answer{code: abi.Code(c.Code), length: c.Length, buf: c.Result}
}

// wholeBatch makes as many calls as there are single answers. It returns how the first differs
// that does, or nil.
func wholeBatch(w *worker, m *method, sample argSample, single []answerKey) (*Finding, error) {
	b, err := callBatch(w, m, sample, slices.Repeat([]int{contract.BatchResultSize}, len(single))...)
	if err != nil {
		return nil, err
	}
	for i := range b.Calls {
		a := batchAnswer(&b.Calls[i])
		if a.code == abi.ErrShortBuffer && a.length > contract.BatchResultSize {
			return nil, nil // a host makes this and the following calls one by one
		}
		w.takeOver(m, a, nil)
		made := b.Calls[i].Code != unwritten
		if made && i < b.Made && a.key() == single[i] {
			continue
		}
		have := "nothing"
		if made {
			have = a.key().String()
		}
		f := m.finding(codeBatch, "call %d of a batch of %d answered %s, alone it answers %v; the plugin says that it made %d",
			i+1, len(single), have, single[i], b.Made)
		return &f, nil
	}
	return nil, nil
}

// shortBatch makes three calls, the second without a result buffer: the batch must
// end after it.
func shortBatch(w *worker, m *method, sample argSample) error {
	b, err := callBatch(w, m, sample, contract.BatchResultSize, 0, contract.BatchResultSize)
	if err != nil {
		return err
	}
	for i := range b.Calls {
		if abi.Code(b.Calls[i].Code) == abi.OK {
			w.takeOver(m, batchAnswer(&b.Calls[i]), nil)
		}
	}
	if abi.Code(b.Calls[1].Code) == abi.ErrShortBuffer && (b.Made != 2 || b.Calls[2].Code != unwritten) {
		f := m.finding(codeBatch, "of a batch of 3 whose second call answered short buffer it made %d", b.Made)
		f.Expected = "2"
		w.add(f)
	}
	return nil
}
