package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// step is one call.
type step struct {
	m          *method
	typeID     uint32
	method     uint32
	instance   uint32
	args       []byte
	resultSize int // of the result buffer
	layout     layout
	lent       [][]byte // the blobs among args
	concurrent bool     // other calls are made at the same time
	likeness   bool     // args stand for instances and blobs that differ from run to run
}

// plainResultSize is the result buffer's size of plain calls, which are to be
// fast; it grows when the plugin asks.
const plainResultSize = 256

// step is an ordinary call of the method.
func (m *method) step(instance uint32, args []byte) step {
	s := step{m: m, method: m.id, instance: instance, args: args, resultSize: contract.InitialResultSize}
	if m.box != nil {
		s.typeID = m.box.typeID
	}
	return s
}

// withResultSize is the call with another size of its result buffer.
func (s step) withResultSize(size int) step {
	s.resultSize = size
	return s
}

// finding is a finding that the call shows.
func (s *step) finding(code, format string, args ...any) Finding {
	f := s.m.finding(code, format, args...)
	if f.Call = showCall(s); !s.likeness {
		f.Input = hexText(s.args)
	}
	return f
}

// step is an ordinary call of the method on this worker.
func (w *worker) step(m *method, instance uint32, args []byte) step {
	s := m.step(instance, args)
	if w.options.plain {
		s.resultSize = plainResultSize
	}
	return s
}

// do makes one call, records it for replays, and counts it. The error is an
// *exitError.
func (w *worker) do(s step) (*answer, error) {
	w.counted(1)
	if w.options.plain {
		return w.invoke(&s)
	}
	s.lent = w.lending.of(s.args)
	w.trace = append(w.trace, traced{step: s.withoutLarge()})
	a, err := w.invoke(&s)
	if err == nil {
		w.keep(a)
	}
	return a, err
}

// asksForMore reports whether a plugin answered short buffer with a size that a
// host would give it.
func asksForMore(s *step, a *answer) bool {
	return a.code == abi.ErrShortBuffer && a.length > uint64(s.resultSize) && a.length <= contract.DefaultMaxResult
}

// retry makes a call again with do while the plugin asks for a larger result
// buffer, as often as a host. s is then the last call.
func retry(s *step, a *answer, do func(step) (*answer, error)) (*answer, error) {
	for shorts := 1; shorts < contract.MaxShortBuffers && asksForMore(s, a); shorts++ {
		s.resultSize = int(a.length)
		again, err := do(*s)
		if err != nil {
			return nil, err
		}
		a = again
	}
	return a, nil
}

// keptAsking is the finding that no size was enough.
func keptAsking(s *step, a *answer) Finding {
	return s.finding(codeShortLength, "it asked for %d bytes, got them, and asked for %d", s.resultSize, a.length)
}

// call calls a method as a host does: with retries, taking over what is returned.
// What is wrong with the answer is reported.
func (w *worker) call(m *method, id uint32, args []byte) (*answer, error) {
	return w.callIn(m, id, args, 0)
}

// callIn is call with its memory laid out so.
func (w *worker) callIn(m *method, id uint32, args []byte, in layout) (*answer, error) {
	s := w.step(m, id, args)
	s.layout = in
	a, err := w.do(s)
	if err != nil {
		return nil, err
	}
	if a, err = retry(&s, a, w.do); err != nil {
		return nil, err
	}
	if asksForMore(&s, a) {
		w.add(keptAsking(&s, a))
	}
	w.checkAnswer(&s, a)
	w.takeOver(m, a, args)
	return a, nil
}

// invokeRetrying is invoke with retries. It is safe for concurrent use.
func (w *worker) invokeRetrying(s step) (*answer, error) {
	a, err := w.invoke(&s)
	if err != nil {
		return nil, err
	}
	return retry(&s, a, func(s step) (*answer, error) { return w.invoke(&s) })
}

// takeOver takes over what a result gives to the host: instances and blobs. A
// handle that was among the arguments was lent, and stays the caller's.
func (w *worker) takeOver(m *method, a *answer, args []byte) {
	value, ok := a.value()
	if !ok {
		return
	}
	h, err := value.Handle()
	if err != nil {
		a.blob = w.takeOverBlob(m, value)
		return
	}
	if lent, err := tlv.Decode(args); err == nil && slices.Contains(lent, value) {
		return
	}
	if h.Instance == 0 {
		w.add(m.finding(codeMalformed, "it returned a handle of instance 0, which is never one"))
		return
	}
	for _, have := range w.instances {
		if have.id == h.Instance && have.box.typeID == h.Type {
			return
		}
	}
	if b := w.plugin.boxOf(h.Type); b != nil {
		w.instances = append(w.instances, instance{b, h.Instance})
		w.keepGiven(m, instance{b, h.Instance})
	}
}

// takeOverBlob takes over a blob, if value is one, and frees it. Its bytes are those of adopt.
func (w *worker) takeOverBlob(m *method, value tlv.Value) []byte {
	addr, length, err := value.Blob()
	if err != nil {
		return nil
	}
	data, err := w.adopt(addr, length)
	if err != nil && !w.life.Lost() {
		w.add(m.finding(codeBlob, "%v", err))
	}
	return data
}

// birth makes an instance. The error errNoBirth means that the plugin did not, and
// that this was reported.
func (w *worker) birth(b *box) (uint32, error) {
	if b.singleton {
		// A host makes one, and a plugin may refuse a second.
		for _, have := range w.instances {
			if have.box == b {
				return have.id, nil
			}
		}
	}
	if w.bearing[b] {
		return 0, errNoBirth // it would need an instance of itself
	}
	w.bearing[b] = true
	defer delete(w.bearing, b)
	a, err := w.tryBirths(b)
	if err != nil {
		return 0, err
	}
	id, ok := w.checkBirth(b, a)
	if !ok {
		return 0, errNoBirth
	}
	w.instances = append(w.instances, instance{b, id})
	return id, nil
}

// maxBirths is how many argument lists of one length are tried for a birth.
const maxBirths = 50

// tryBirths makes an instance with values of the types that are declared for birth, the first
// that it does not refuse. Later births take them.
func (w *worker) tryBirths(b *box) (a *answer, err error) {
	var first []tlv.Value
	for values := range w.birthValues(b) {
		s, err := w.birthWith(b, values)
		if ignoreBirth(err) != nil {
			return nil, err
		}
		if err != nil {
			continue
		}
		if a, err = w.do(s); err != nil {
			return nil, err
		}
		if !refuses(a, values) && (!failed(a.code) || len(values) == 0) {
			w.shared.births[b] = values
			return a, nil
		}
		if first == nil {
			first = values
		}
	}
	if a == nil {
		if !w.shared.birthBroken[b] {
			w.shared.birthBroken[b] = true
			w.skip("%s: its birth takes an instance of a box that has none", b.name)
		}
		return nil, errNoBirth
	}
	w.shared.births[b] = first
	return a, nil
}

// birthValues are the arguments to try for a birth.
func (w *worker) birthValues(b *box) func(yield func([]tlv.Value) bool) {
	if values, known := w.shared.births[b]; known {
		return func(yield func([]tlv.Value) bool) { yield(values) }
	}
	if given := w.givenBirths(b); len(given) > 0 {
		return slices.Values(given)
	}
	if b.birth.declared == nil {
		return product(nil)
	}
	s := b.birth.declared.Signature
	choices := w.plugin.declaredChoices(s.Args)
	for i := range choices {
		choices[i] = slices.DeleteFunc(choices[i], func(v tlv.Value) bool { return v == selfSample })
	}
	return func(yield func([]tlv.Value) bool) {
		for n := len(choices); n >= s.Required(); n-- {
			tries := 0
			for given := range product(choices[:n]) {
				if tries++; tries > maxBirths {
					break
				}
				if !yield(filled(s, given)) {
					return
				}
			}
		}
	}
}

// birthStep is a birth with arguments that it takes.
func (w *worker) birthStep(b *box) (step, error) {
	for values := range w.birthValues(b) {
		return w.birthWith(b, values)
	}
	return step{}, errNoBirth
}

func (w *worker) birthWith(b *box, values []tlv.Value) (step, error) {
	args, err := w.encode(values, b, 0)
	return w.step(b.birth, 0, args), err
}

// fini ends an instance.
func (w *worker) fini(b *box, id uint32) error {
	a, err := w.do(w.step(b.fini, id, emptyMessage))
	if err != nil {
		return err
	}
	w.instances = slices.DeleteFunc(w.instances, func(have instance) bool { return have.box == b && have.id == id })
	w.checkFini(b, a)
	return nil
}

// finiAll ends all instances of the worker.
func (w *worker) finiAll() error { return w.finiSince(0) }

// finiSince ends the instances but so many that were made first.
func (w *worker) finiSince(first int) error {
	for len(w.instances) > first {
		last := w.instances[len(w.instances)-1]
		if err := w.fini(last.box, last.id); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes an instance on which a sample works, and encodes its arguments. The other
// instances among them are its own.
func (w *worker) prepare(m *method, sample argSample) (id uint32, args []byte, err error) {
	clear(w.lent)
	if id, err = w.birth(m.box); err != nil {
		return 0, nil, err
	}
	for _, setup := range sample.setup {
		args, err := w.encode(setup.args, m.box, id)
		if err != nil {
			return 0, nil, err
		}
		if _, err := w.call(setup.m, id, args); err != nil {
			return 0, nil, err
		}
	}
	args, err = w.encode(sample.values, m.box, id)
	return id, args, err
}

// emptyMessage is the message of a call without arguments.
var emptyMessage = tlv.AppendHeader(nil)

// encode is a list of values as a message, for an instance. The instances and the blob for
// which samples stand are made.
func (w *worker) encode(values []tlv.Value, b *box, id uint32) ([]byte, error) {
	all := slices.Clone(values)
	for i, v := range values {
		other := w.plugin.sampled(v, b)
		number, ofHost := sampleNumber(v)
		switch {
		case ofHost:
			all[i] = tlv.HandleValue(sampleHandle(number))
		case v == selfSample:
			all[i] = tlv.HandleValue(tlv.Handle{Type: b.typeID, Instance: id})
		case other != nil:
			lent, err := w.lend(other)
			if err != nil {
				return nil, err
			}
			all[i] = tlv.HandleValue(tlv.Handle{Type: other.typeID, Instance: lent})
		case isBlob(v):
			if data, ok := w.plugin.blobData(v); ok {
				all[i] = w.lentFor(v, data)
			}
		}
	}
	return encode(all), nil
}

// lentFor is the blob that a sample stands for, which is lent once to a worker. It is an empty one where
// there is no memory.
func (w *worker) lentFor(sample tlv.Value, data []byte) tlv.Value {
	addr, known := w.blobs[sample]
	if !known && len(data) > 0 {
		addr, _ = w.lendBlob(data)
		if w.blobs == nil {
			w.blobs = make(map[tlv.Value]uint64)
		}
		w.blobs[sample] = addr
	}
	if addr == 0 {
		return tlv.Blob(0, 0)
	}
	return tlv.Blob(addr, uint64(len(data)))
}

// lentAt are the bytes of a blob that was lent for a sample.
func (w *worker) lentAt(v tlv.Value) (data []byte, ok bool) {
	at, _, err := v.Blob()
	for sample, addr := range w.blobs {
		if err == nil && addr != 0 && addr == at {
			return w.plugin.blobData(sample)
		}
	}
	return nil, false
}

// lend is an instance of a box that calls are given, until another instance is prepared.
func (w *worker) lend(b *box) (uint32, error) {
	if id, ok := w.lent[b]; ok && slices.Contains(w.instances, instance{b, id}) {
		return id, nil
	}
	id, err := w.birth(b)
	if err == nil {
		w.lent[b] = id
	}
	return id, err
}

// encode is a list of values as a message. They must be encodable, as samples are.
func encode(values []tlv.Value) []byte {
	out, err := tlv.Encode(values...)
	if err != nil {
		panic(fmt.Sprintf("encode a sample: %v", err))
	}
	return out
}

// usesInstances tells whether other instances than the one that is called are among a
// sample's arguments.
func (s *argSample) usesInstances() bool {
	return slices.ContainsFunc(s.values, func(v tlv.Value) bool { return isHandle(v) && v != selfSample })
}

// withoutBlobs are the sample's values but for blobs.
func (s *argSample) withoutBlobs() []tlv.Value {
	return slices.DeleteFunc(slices.Clone(s.values), isBlob)
}

// example is a sample's message without blobs, with instances that need not exist: to be
// shown and mutated without a worker.
func (p *plugin) example(s argSample, b *box) []byte {
	values := s.withoutBlobs()
	for i, v := range values {
		if other := p.sampled(v, b); other != nil {
			values[i] = tlv.HandleValue(tlv.Handle{Type: other.typeID, Instance: 1})
		}
		if number, ok := sampleNumber(v); ok {
			values[i] = tlv.HandleValue(sampleHandle(number))
		}
	}
	return encode(values)
}

// exitError means that the worker exited or was killed during a call, or that a
// function of the library failed.
type exitError struct {
	at  *step
	err error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }
