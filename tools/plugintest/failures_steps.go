package plugintest

import (
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
)

// steps are the calls of a run up to so many after the one in which something fails.
func (f *faulting) steps(g *Finding, c faultCase, t *fault, run *faultRun, later int) []Step {
	birth := op{m: f.box.birth, on: -1, made: f.box, args: literals(f.shared.births[f.box])}
	ops, answers := sequence{birth}, []observed{{made: true}}
	add := func(r faultCall, on int, key answerKey) {
		args := literals(r.sample.values)
		for i, v := range r.sample.values {
			if isHandle(v) {
				args[i].ref = 1
			}
		}
		ops, answers = append(ops, op{m: r.m, on: on, args: args}), append(answers, observed{made: true, code: key.code, text: key.text})
	}
	for _, s := range c.sample.setup {
		add(faultCall{s.m, argSample{values: s.args}}, 0, answerKey{})
	}
	for _, r := range c.before {
		add(r, 0, answerKey{})
	}
	at := len(ops)
	add(c.faultCall, 0, run.key)
	if slices.Contains(run.copied[:later], true) {
		ops[at].made = run.after[later-1].m.box
	}
	for i, r := range run.after[:later] {
		on := 0
		if run.copied[i] {
			on = at
		}
		add(r, on, run.later[i])
	}
	steps := stepsOf(g, ops, ordinary, answers)
	for i := range steps {
		steps[i].Fault = i == at
	}
	if run.key.code == abi.OK {
		steps[at].Note = "although " + t.String()
	} else {
		steps[at].Note = "as " + t.String()
	}
	return steps
}
