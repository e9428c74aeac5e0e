package plugintest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// Step is one step of what shows a finding: a call on an instance, the answer to it, or both. A
// call without an answer is under way until a step of the same thread and instance answers it, or
// for ever.
type Step struct {
	Thread   int    `json:"thread"`   // of the host, from 1
	Instance string `json:"instance"` // as in the script: its box's name and a number
	Call     string `json:"call,omitempty"`
	Answer   string `json:"answer,omitempty"`
	Note     string `json:"note,omitempty"` // what else is to be known of it
	Fault    bool   `json:"fault,omitempty"`
}

// stepsOf are the steps of a sequence. The fault is in the last call that was made of the
// finding's method.
func stepsOf(f *Finding, ops sequence, in world, answers []observed) (steps []Step) {
	fault := -1
	for i := range ops {
		if i >= len(answers) || !answers[i].made {
			continue
		}
		o := &ops[i]
		args := make([]string, len(o.args))
		for k, a := range o.args {
			args[k] = shownArgument(ops, a)
		}
		on := o.on
		if o.isBirth() {
			on = i
		}
		s := Step{Thread: 1, Instance: contract.Printable(variable(ops, on)), Call: contract.Printable(fmt.Sprintf("%s(%s)", o.m.name, strings.Join(args, ", ")))}
		if in.layout&layoutThread != 0 {
			s.Thread += i
		}
		a := &answers[i]
		switch {
		case a.code != abi.OK:
			s.Answer = a.String()
		case o.isBirth():
			s.Answer = "a new instance"
		case a.text != "":
			s.Answer = contract.Printable(a.text)
		case o.isFini():
			s.Answer = "success"
		}
		if fault < 0 || o.m.String() == f.Place() {
			fault = len(steps)
		}
		steps = append(steps, s)
	}
	if fault >= 0 {
		s, last := &steps[fault], &ops[min(len(answers), len(ops))-1]
		s.Fault = true
		if in.name != ordinary.name {
			s.Note = "otherwise " + in.what
		}
		if exits(f.Code) && fault == len(steps)-1 && (last.isBirth() || last.isFini()) {
			s.Answer = ""
		}
	}
	return steps
}

// exits tells whether a finding is the end of the worker.
func exits(code string) bool {
	switch code {
	case codeCrash, codeExit, codeHang, codeMemory, codeOverrun, codeOverread, codeKept, codeInvalidRead, codeInvalidWrite, codeAfterFree, codeDoubleFree:
		return true
	}
	return false
}

// shownArgument is an argument, shortened.
func shownArgument(ops sequence, a argument) string {
	switch {
	case a.ref > 0:
		return variable(ops, a.ref-1)
	case a.blob:
		return "blob " + showValue(a.value)
	}
	if a.value.Tag() == tlv.TagVoid {
		return "void"
	}
	return showValue(a.value)
}

// maxPrepared is how many calls that prepare a trial are steps.
const maxPrepared = 8

// steps are those of a run whose first call is stopped at a place.
func (t *trial) steps(r *interleave.Result, at sourcePlace) []Step {
	plan := &t.s.program.Plans[t.plan]
	var all []Step
	call := func(thread, number int) Step {
		c := t.s.program.Calls[number]
		m, on := t.s.methods[number], c.Slot
		if c.Kind == interleave.KindCopy {
			on = c.From
		}
		text, _, _ := strings.Cut(t.s.show(number), fmt.Sprintf(" on instance %d", on+1))
		return Step{Thread: thread, Instance: fmt.Sprintf("%s%d", strings.ToLower(contract.Printable(m.box.name)), on+1), Call: strings.TrimPrefix(text, m.box.name+".")}
	}
	for i, number := range plan.Setup {
		if i == maxPrepared {
			all[i-1].Note = fmt.Sprintf("and %s more that prepare", plural(len(plan.Setup)-i, "call"))
			break
		}
		s := call(1, number)
		switch c := t.s.program.Calls[number]; c.Kind {
		case interleave.KindBirth:
			s.Answer = "a new instance"
		case interleave.KindCopy:
			s.Answer = fmt.Sprintf("%s%d", strings.ToLower(contract.Printable(t.s.methods[number].box.name)), c.Slot+1)
		}
		all = append(all, s)
	}
	have := r.Answers()
	fault := t.departs(have)
	answer := func(s *Step, number int) {
		for i := range have {
			if have[i].Call == number {
				s.Answer, s.Fault = t.s.showAnswer(&have[i]), i == fault
			}
		}
	}
	first, second := plan.Threads[0][0], plan.Threads[1][0]
	stopped := call(1, first)
	stopped.Note = "stopped before " + contract.Printable(at.String())
	meanwhile := call(2, second)
	answer(&meanwhile, second)
	goesOn := Step{Thread: 1, Instance: stopped.Instance, Note: "goes on"}
	answer(&goesOn, first)
	all = append(all, stopped, meanwhile, goesOn)
	for _, number := range plan.Post {
		s := call(1, number)
		answer(&s, number)
		if s.Answer != "" {
			all = append(all, s)
		}
	}
	if !slices.ContainsFunc(all, func(s Step) bool { return s.Fault }) {
		i := slices.IndexFunc(all, func(s Step) bool { return s.Thread == 2 })
		all[i].Fault = true // it ends in one of the two, or neither returns
	}
	return all
}

// departs is the first answer that neither order has where it stands; -1 for none.
func (t *trial) departs(have []interleave.Answer) int {
	longest := 0
	for _, order := range t.orders {
		want := (&interleave.Result{Outcome: order}).Answers()
		n := 0
		for n < len(have) && n < len(want) && have[n].Code == want[n].Code && bytes.Equal(have[n].Data, want[n].Data) {
			n++
		}
		longest = max(longest, n)
	}
	if longest >= len(have) {
		return -1
	}
	return longest
}
