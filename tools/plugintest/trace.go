package plugintest

import (
	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// traced is a call that a worker has made.
type traced struct {
	step
	answered bool // it has returned
	code     abi.Code
	born     uint32   // the instance that a birth has answered; 0 for none
	gave     instance // what another method has answered, a new one; without a box for none
}

// keep notes what the last call of the trace has answered.
func (w *worker) keep(a *answer) {
	t := &w.trace[len(w.trace)-1]
	t.answered, t.code = true, a.code
	if t.m.box == nil || t.m != t.m.box.birth || a.code != abi.OK {
		return
	}
	if id, err := contract.ParseBirth(a.written(), t.typeID); err == nil {
		t.born = id
	}
}

// keepGiven notes that the last call of the trace, one of this method, has answered a new instance.
func (w *worker) keepGiven(m *method, given instance) {
	if i := len(w.trace) - 1; i >= 0 && w.trace[i].m == m && w.trace[i].answered {
		w.trace[i].gave = given
	}
}

// maxScripted is how many calls a worker may have made before a fault for them to be a script.
const maxScripted = 2000

// scripted has the calls that led to the end of the worker be the script of a finding, where a
// script can say them: malformed arguments and unknown ids it cannot.
func (w *worker) scripted(at *step, f *Finding) {
	if at.concurrent || len(w.trace) == 0 || len(w.trace) > maxScripted || f.Sequence != "" || w.options.wrapper != nil {
		return
	}
	ops, answers, ok := w.sequence()
	if !ok || ops[len(ops)-1].m != at.m {
		return
	}
	of := ops.relatedTo(len(ops) - 1)
	ops = ops.without(func(i int) bool { return !of(i) })
	kept := answers[:0]
	for i := range answers {
		if of(i) {
			kept = append(kept, answers[i])
		}
	}
	if last := &kept[len(kept)-1]; last.code == abi.OK {
		last.text = pick(f.Code == codeHang, "it does not return", "the process ends")
	}
	f.Sequence, f.Steps = scriptOf(f, ops, ordinary, kept), stepsOf(f, ops, ordinary, kept)
}

// sequence is the trace as calls on instances by the calls that made them; false where it cannot
// be told so.
func (w *worker) sequence() (ops sequence, answers []observed, ok bool) {
	made := make(map[instance]int)
	for i := range w.trace {
		t := &w.trace[i]
		b := t.m.box
		if b == nil || t.method != t.m.id || t.typeID != b.typeID {
			return nil, nil, false
		}
		last := i == len(w.trace)-1
		if !last && t.code == abi.ErrShortBuffer || t.m == b.birth && t.answered && t.born == 0 {
			continue // it is made again, or has made nothing
		}
		o := op{m: t.m, on: -1}
		if t.m == b.birth {
			o.made = b
		} else if o.on, ok = made[instance{b, t.instance}]; !ok {
			return nil, nil, false
		}
		if o.args, ok = w.arguments(t.args, made); !ok {
			return nil, nil, false
		}
		switch {
		case t.born != 0:
			made[instance{b, t.born}] = len(ops)
		case t.gave.box != nil:
			o.made = t.gave.box
			made[t.gave] = len(ops)
		case t.m == b.fini:
			delete(made, instance{b, t.instance})
		}
		ops = append(ops, o)
		answers = append(answers, observed{made: !t.answered || t.code != abi.OK || o.isBirth(), code: t.code})
	}
	return ops, answers, len(ops) > 0
}

// arguments are those of a message.
func (w *worker) arguments(message []byte, made map[instance]int) (all []argument, ok bool) {
	if len(message) == 0 {
		return nil, true
	}
	values, err := tlv.Decode(message)
	if err != nil {
		return nil, false
	}
	for _, v := range values {
		a := argument{value: v}
		switch v.Tag() {
		case tlv.TagBlob:
			data, ok := w.lentAt(v)
			if !ok {
				return nil, false
			}
			a = argument{value: tlv.Bytes(data), blob: true}
		case tlv.TagHandle:
			h, _ := v.Handle()
			b := w.plugin.boxOf(h.Type)
			at, have := made[instance{b, h.Instance}]
			if !have {
				return nil, false
			}
			a = argument{ref: at + 1}
		}
		all = append(all, a)
	}
	return all, true
}

// save writes the script of a finding where Config.Save says.
func (e *env) save(f *Finding) {
	if e.config.Save == "" || f.Sequence == "" {
		return
	}
	file, err := saveScript(e.config.Save, f)
	if err != nil {
		e.skip("the script of %s: %v", f.Code, err)
		return
	}
	e.line("%s: %s", f.Code, file)
}
