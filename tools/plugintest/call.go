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
	concurrent bool // other calls are made at the same time
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
	f.Call, f.Input = showCall(s), hexText(s.args)
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
	if !w.options.plain {
		w.trace = append(w.trace, s)
	}
	w.counted(1)
	return w.invoke(&s)
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
	s := w.step(m, id, args)
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
		w.takeOverBlob(m, value)
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
	}
}

// takeOverBlob takes over a blob, if value is one, and frees it.
func (w *worker) takeOverBlob(m *method, value tlv.Value) {
	addr, length, err := value.Blob()
	if err != nil {
		return
	}
	if err := w.adopt(addr, length); err != nil && !w.session.Lost() {
		w.add(m.finding(codeBlob, "%v", err))
	}
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
	a, err := w.do(w.birthStep(b))
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

// birthStep is a birth with values of the types that are declared for it.
func (w *worker) birthStep(b *box) step {
	args := emptyMessage
	for values := range product(declaredChoices(b.birthArgs)) {
		args = w.encode(values, b, 0)
		break
	}
	return w.step(b.birth, 0, args)
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
func (w *worker) finiAll() error {
	for len(w.instances) > 0 {
		last := w.instances[len(w.instances)-1]
		if err := w.fini(last.box, last.id); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes an instance on which a sample works, and encodes its arguments.
func (w *worker) prepare(m *method, sample argSample) (id uint32, args []byte, err error) {
	if id, err = w.birth(m.box); err != nil {
		return 0, nil, err
	}
	for _, setup := range sample.setup {
		if _, err := w.call(setup.m, id, w.encode(setup.args, m.box, id)); err != nil {
			return 0, nil, err
		}
	}
	return id, w.encode(sample.values, m.box, id), nil
}

// emptyMessage is the message of a call without arguments.
var emptyMessage = tlv.AppendHeader(nil)

// encode is a list of values as a message, for an instance.
func (w *worker) encode(values []tlv.Value, b *box, id uint32) []byte {
	if w.blob == 0 && slices.Contains(values, blobSample) {
		w.blob, _ = w.lend([]byte(blobText)) // address 0 where there is no memory
	}
	return encode(values, tlv.Handle{Type: b.typeID, Instance: id}, w.blob)
}

// encode is a list of values as a message: selfSample is the handle, blobSample a
// blob at an address. They must be encodable, as samples are.
func encode(values []tlv.Value, self tlv.Handle, blob uint64) []byte {
	out := tlv.AppendHeader(nil)
	for _, v := range values {
		switch {
		case v == selfSample:
			v = tlv.HandleValue(self)
		case v == blobSample && blob == 0:
			v = tlv.Blob(0, 0)
		case v == blobSample:
			v = tlv.Blob(blob, uint64(len(blobText)))
		}
		var err error
		if out, err = tlv.AppendValue(out, v); err != nil {
			panic(fmt.Sprintf("encode a sample: %v", err))
		}
	}
	if err := tlv.PatchArgc(out, len(values)); err != nil {
		panic(fmt.Sprintf("encode a sample: %v", err))
	}
	return out
}

// encodeAny is a sample's message without blobs, for an instance that need not
// exist: to be shown and mutated without a worker.
func (s *argSample) encodeAny(b *box) []byte { return s.encodeFor(b, 1) }

// encodeFor is a sample's message without blobs, for an instance.
func (s *argSample) encodeFor(b *box, id uint32) []byte {
	values := slices.DeleteFunc(slices.Clone(s.values), func(v tlv.Value) bool { return v == blobSample })
	return encode(values, tlv.Handle{Type: b.typeID, Instance: id}, 0)
}

// exitError means that the worker exited or was killed during a call, or that a
// function of the library failed.
type exitError struct {
	at  *step
	err error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }
