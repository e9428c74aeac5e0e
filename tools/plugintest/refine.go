package plugintest

import (
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A method that refuses all that was tried may need texts that other methods take, and several of its arguments
// at once to be right. It is tried with what others take; where it refuses that for another reason, one of them was right,
// and the rest is looked for from there.

const (
	maxRefined = 500 // calls of a method
	maxBetter  = 3   // argument lists that are refused for another reason, from which it goes on
	maxKnown   = 12  // texts of others that are tried
)

// refine looks for arguments of the methods of a box that fail with all that were tried.
func (e *env) refine(b *box) error {
	for _, m := range b.methods {
		if e.shared.broken[m] || e.shared.hasWorkingSample(m) || m.declared == nil || !m.declared.ArgsDeclared || !e.shared.tried[m] {
			continue
		}
		setups := [][]setupCall{nil}
		if longest := e.shared.setup(b.methods...); len(longest) > 0 {
			setups = append(setups, longest)
		}
		setups = append(setups, e.renamed(m)...)
		for _, setup := range setups {
			if err := e.refineMethod(m, setup); err != nil {
				return err
			}
			if e.shared.hasWorkingSample(m) {
				break
			}
		}
	}
	return nil
}

// splitText are the beginning of a text up to the first mark that separates something, and what is behind it: of what is stored under
// a whole, a part may be asked for.
func splitText(text string) (all []string) {
	at := strings.IndexAny(text, "/:,;=@>| ")
	if at < 0 {
		return nil
	}
	for _, part := range []string{text[:at], strings.TrimLeft(text[at+1:], "/> ")} {
		if part != "" {
			all = append(all, part)
		}
	}
	return all
}

// maxRenamed is how many calls with another text are tried before a method.
const maxRenamed = 4

// renamed are calls of other methods with a text of the form of one that they take: what the library knows by itself
// is not to be changed, perhaps, or not to be removed.
func (e *env) renamed(m *method) (all [][]setupCall) {
	for _, k := range m.box.methods {
		for _, s := range e.shared.samples[k] {
			at := slices.IndexFunc(s.values, isText)
			if k == m || !s.works || at < 0 || slices.Contains(sampleValues, s.values[at]) || len(all) == maxRenamed {
				continue
			}
			if text := alikeIn(s.values[at].Data()); text != s.values[at].Data() {
				all = append(all, append(slices.Clone(s.setup), setupCall{k, s.values}.named(text)...))
			}
		}
	}
	return all
}

// alikeIn is a text with other letters of the same kind, and the same marks.
func alikeIn(text string) string {
	next := func(first, last rune) func(rune) rune {
		return func(r rune) rune { return first + (r-first+7)%(last-first+1) }
	}
	upper, lower := next('A', 'Z'), next('a', 'z')
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return upper(r)
		case r >= 'a' && r <= 'z':
			return lower(r)
		}
		return r
	}, text)
}

// refining is the search for the arguments of a method.
type refining struct {
	*worker
	m       *method
	id      uint32
	setup   []setupCall
	tries   int
	reasons []answerKey // for which it has refused
	better  []shape     // what it has refused for another reason than those before
	done    bool
}

func (e *env) refineMethod(m *method, setup []setupCall) error {
	first := e.firstValues(m)
	var texts []string
	for _, c := range setup {
		for _, v := range c.args {
			if isText(v) && !slices.Contains(sampleValues, v) {
				texts = append(texts, v.Data())
			}
		}
	}
	texts = append(texts, e.knownTexts(m)...)
	for _, text := range slices.Clone(texts) {
		texts = append(texts, splitText(text)...)
	}
	if first == nil || len(texts) == 0 {
		return nil
	}
	e.at(m)
	return e.withWorker(workerOptions{blobs: true}, func(w *worker) error {
		id, _, err := w.prepare(m, argSample{setup: setup})
		if err != nil {
			return err
		}
		r := &refining{worker: w, m: m, id: id, setup: setup}
		if err := r.try(first, false); err != nil {
			return err
		}
		for _, text := range texts {
			if err := r.try(withTexts(first, text), true); err != nil {
				return err
			}
		}
		for n := 0; n < len(r.better) && n < maxBetter; n++ {
			if err := r.replaceOne(r.better[n]); err != nil {
				return err
			}
		}
		return w.finiAll()
	})
}

// replaceOne tries arguments of which one is another.
func (r *refining) replaceOne(values shape) error {
	for i, v := range values {
		choices := r.found(r.m, v.Tag())
		if isText(v) {
			for _, text := range r.knownTexts(r.m) {
				choices = append(choices, textOf(v.Tag(), text))
			}
		}
		for _, choice := range choices {
			other := slices.Clone(values)
			other[i] = choice
			if err := r.try(other, true); err != nil || r.done {
				return err
			}
		}
	}
	return nil
}

// try calls the method. What it refuses for a new reason is kept, if that is wanted.
func (r *refining) try(values shape, keep bool) error {
	if r.done || r.tries >= maxRefined {
		return nil
	}
	r.tries++
	a, err := r.worker.try(r.m, r.id, values)
	if a == nil || err != nil {
		return err
	}
	if a.code == abi.OK {
		r.shared.addWorking(r.m, argSample{values, true, r.setup})
		r.shared.remember(a)
		r.rememberBlob(a)
		r.done = true
		return nil
	}
	reason := a.key()
	for _, v := range values { // which messages repeat
		if isText(v) && v.Len() > 0 {
			reason.text = strings.ReplaceAll(reason.text, v.Data(), "")
		}
	}
	if !slices.Contains(r.reasons, reason) {
		r.reasons = append(r.reasons, reason)
		if keep {
			r.better = append(r.better, values)
		}
	}
	return nil
}

// firstValues are the first value of each declared type; nil where there is none, or no text among them.
func (e *env) firstValues(m *method) (all shape) {
	for _, c := range e.plugin.declaredChoices(m.declared.Args) {
		if len(c) == 0 {
			return nil
		}
		all = append(all, c[0])
	}
	if !slices.ContainsFunc(all, isText) {
		return nil
	}
	return all
}

func withTexts(values shape, text string) shape {
	all := slices.Clone(values)
	for i, v := range all {
		if isText(v) {
			all[i] = textOf(v.Tag(), text)
		}
	}
	return all
}

// knownTexts are texts that other methods of the box take, and words of their descriptions.
func (e *env) knownTexts(m *method) (all []string) {
	add := func(text string) {
		if text != "" && len(all) < maxKnown && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	for _, other := range m.box.methods {
		for _, sample := range e.shared.samples[other] {
			for _, v := range sample.values {
				if sample.works && isText(v) && !slices.Contains(sampleValues, v) {
					add(v.Data())
				}
			}
		}
	}
	for _, word := range m.describedWords() {
		add(word)
	}
	for _, other := range m.box.methods {
		for _, word := range other.describedWords() {
			add(word)
		}
	}
	return all
}
