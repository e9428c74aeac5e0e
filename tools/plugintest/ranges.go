package plugintest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A range that the documentation of an argument begins with ("1 to 32 bytes", "0 or more") is what callers rely on: a value outside of
// it is refused.

// span is what an argument is said to be, a number or a size of a text in bytes.
type span struct {
	least, most int64
	text        string // that says so
	// of is what a float is said to be: infinite where there is no end, and both where it is to be finite.
	of [2]float64
}

var (
	toRange   = regexp.MustCompile(`^(?:of |from |between )?(-?[\d,]*\d) (?:to|and) (-?[\d,]*\d)\b`)
	orMore    = regexp.MustCompile(`^(-?[\d,]*\d) or more\b`)
	atMost    = regexp.MustCompile(`^(?:at most|up to) ([\d,]*\d)\b`)
	toFloat   = regexp.MustCompile(`^(?:of |from |between )?(-?[\d,]*\d(?:\.\d+)?) (?:to|and) (-?[\d,]*\d(?:\.\d+)?)(?:[ ,;:)]|\.?$|\. )`)
	finite    = regexp.MustCompile(`(?i)\bfinite\b`)
	meantElse = regexp.MustCompile(`(?i)otherwise|\belse\b|negative|clamp|limit(s|ed) to|\bcut\b|truncat|\b(larger|smaller|longer|more|less) (ones|values|are|is)\b|\bbelow\b|\babove\b|beyond|outside|default|\bexcept|\bfor (all|none|no|the|any)\b|ignored|modulo|wrap|\blow(er|est)? \d|about|usually|should`)
	ofSizes   = regexp.MustCompile(`^[^.;]*\b(bytes?|characters?|letters?|digits?)\b`)
)

// ofArgument is what the documentation of a method says of an argument, behind its name; empty for nothing.
func ofArgument(doc, name string) string {
	m := regexp.MustCompile(`(?i)(?:^|[\s("'` + "`" + `])` + regexp.QuoteMeta(name) + `[\s,:"'` + "`" + `]+(?:(?:is|are|has|be|must be|of|in|from|between)\s+)*(-?\d[^.;]*)`).FindStringSubmatch(doc)
	if m == nil || name == "" {
		return ""
	}
	return m[1]
}

// spanOf is what a documentation says of an argument of a type; ok is false where it names no range, or says what becomes of others.
func spanOf(doc string, tag tlv.Tag) (s span, ok bool) {
	doc = strings.TrimSpace(doc)
	if meantElse.MatchString(doc) {
		return s, false
	}
	if tag == tlv.TagFloat32 || tag == tlv.TagFloat64 {
		return floatSpan(doc)
	}
	s = span{least: math.MinInt64, most: math.MaxInt64}
	for _, form := range []struct {
		of          *regexp.Regexp
		least, most int // the groups; 0 for none
	}{{toRange, 1, 2}, {orMore, 1, 0}, {atMost, 0, 1}} {
		m := form.of.FindStringSubmatch(doc)
		if m == nil {
			continue
		}
		var err1, err2 error
		if form.least > 0 {
			s.least, err1 = strconv.ParseInt(strings.ReplaceAll(m[form.least], ",", ""), 10, 64)
		}
		if form.most > 0 {
			s.most, err2 = strconv.ParseInt(strings.ReplaceAll(m[form.most], ",", ""), 10, 64)
		}
		s.text = m[0]
		text := tag == tlv.TagString || tag == tlv.TagBytes
		number := tag == tlv.TagInt32 || tag == tlv.TagInt64
		return s, err1 == nil && err2 == nil && s.least <= s.most && (number || text && ofSizes.MatchString(doc) && s.most < tlv.MaxPayload-1 || text && ofSizes.MatchString(doc) && s.most == math.MaxInt64)
	}
	return s, false
}

func floatSpan(doc string) (s span, ok bool) {
	if m := toFloat.FindStringSubmatch(doc); m != nil {
		least, err1 := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
		most, err2 := strconv.ParseFloat(strings.ReplaceAll(m[2], ",", ""), 64)
		return span{text: strings.TrimRight(m[0], " ,;:)."), of: [2]float64{least, most}}, err1 == nil && err2 == nil && least <= most
	}
	return span{text: finite.FindString(doc), of: [2]float64{math.Inf(-1), math.Inf(1)}}, finite.MatchString(doc)
}

// floatsOutside are floats that are not in a span.
func (s span) floatsOutside() []float64 {
	if math.IsInf(s.of[0], 0) {
		return []float64{math.Inf(-1), math.Inf(1), math.NaN()}
	}
	return []float64{s.of[0] - 1, s.of[1] + 1, math.NaN()}
}

// outside are values that are not in a span, next to its ends.
func (s span) outside(sample tlv.Value) (all []tlv.Value) {
	if isText(sample) {
		if s.least > 0 && s.least < tlv.MaxPayload {
			all = append(all, textOf(sample.Tag(), strings.Repeat("a", int(s.least-1))))
		}
		if s.most < tlv.MaxPayload-1 {
			all = append(all, textOf(sample.Tag(), strings.Repeat("a", int(s.most+1))))
		}
		return all
	}
	if !isInteger(sample) {
		return numbersOf(sample.Tag(), nil, s.floatsOutside())
	}
	var numbers []int64
	if s.least > math.MinInt64 {
		numbers = append(numbers, s.least-1)
	}
	if s.most < math.MaxInt64 {
		numbers = append(numbers, s.most+1)
	}
	return numbersOf(sample.Tag(), numbers, nil)
}

// checkRanges gives methods what their arguments are said not to be.
func (e *env) checkRanges() error {
	return e.each(func(m *method, sample argSample) error {
		if m.declared == nil || !sample.works || e.shared.slow[m] || m.isBirth() {
			return nil
		}
		for i, arg := range m.declared.Args {
			if i >= len(sample.values) {
				break
			}
			s, ok := spanOf(arg.Doc, sample.values[i].Tag())
			if !ok && arg.Doc == "" {
				s, ok = spanOf(ofArgument(m.declared.Doc, arg.Name), sample.values[i].Tag())
			}
			if !ok || meantElse.MatchString(m.declared.Doc) {
				continue
			}
			for _, v := range s.outside(sample.values[i]) {
				if err := e.checkOutside(m, sample, i, v, s); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// checkOutside reports that a method takes a value outside of a span: it answers more than that there is nothing, or others answer
// otherwise since then.
func (e *env) checkOutside(m *method, sample argSample, i int, v tlv.Value, s span) error {
	return e.withWorker(workerOptions{}, func(w *worker) error {
		sample.values = append(values(nil), sample.values...)
		sample.values[i] = v
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return err
		}
		before, err := w.askAll(m.box, id)
		if err != nil {
			return err
		}
		a, err := w.call(m, id, args)
		if err != nil {
			return err
		}
		after, err := w.askAll(m.box, id)
		if err != nil {
			return err
		}
		no := false // it says that it has not done it
		got, ok := a.value()
		if yes, err := got.Bool(); err == nil {
			no = !yes
		}
		if a.code == abi.OK && !no && !isNegative(got) && (!ok || got.IsVoid() || isTelling(got) || !slices.Equal(before, after)) {
			step := m.step(id, args)
			what := fmt.Sprintf("%v", showValue(v))
			if isText(v) {
				what = plural(v.Len(), "byte")
			}
			f := step.finding(codeRange, "it takes %s for its argument %s, of which its documentation says %q", what, m.declared.Args[i].Name, s.text)
			f.Expected = "what the documentation of an argument says, and no more"
			e.add(f)
		}
		return w.finiAll()
	})
}

// askAll is what the methods that need no arguments answer, twice: what changes by itself is left out.
func (w *worker) askAll(b *box, id uint32) (all []answerKey, err error) {
	for _, m := range b.methods {
		if !w.shared.callable(m) || len(w.shared.sample(m).values) > 0 || !w.shared.sample(m).works {
			continue
		}
		var twice [2]answerKey
		for i := range twice {
			a, err := w.call(m, id, emptyMessage)
			if err != nil {
				return nil, err
			}
			twice[i] = a.key()
		}
		if twice[0] == twice[1] {
			all = append(all, twice[0])
		}
	}
	return all, nil
}

// isNegative tells whether a value is a number below zero, which says that something was not done.
func isNegative(v tlv.Value) bool {
	n, err := v.Int()
	return err == nil && n < 0
}
