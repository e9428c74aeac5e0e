package plugintest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// What is stored is opaque: as long as few values are stored, how many there are and which of
// them a call answers does not depend on what they are. Where it does once more are stored, a value has been
// written over something else, such as the member behind an array. No guard sees that.

// maxStored is how many calls store.
const maxStored = 300

// leastStored is how many calls succeed at least of one that stores.
const leastStored = 4

// storedSteps are after how many calls the readers are called where nothing is ever full: around
// what arrays hold.
var storedSteps = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 20, 21, 24, 25, 31, 32, 33, 50, 51, 63, 64, 65, 99, 100, 101, 127, 128, 129, 255, 256, 257, 300}

// popSteps are the same for readers that take something away, for which all is stored again.
var popSteps = []int{1, 2, 3, 4, 5, 9, 11, 13, 17, 21, 33, 65, 101, 129}

// family is the values that are stored in one of the plays: no two are the same, and they are in
// one order in all families.
type family int

const (
	large family = iota
	larger
	small // such as are indices
	families
)

// datum is the value of a family that is stored with a call, from 1, of the type of a sample.
// They are others in each turn, but for small ones.
func (f family) datum(call, turn int, sample tlv.Value) tlv.Value {
	n := int64(call) + []int64{200, 700, -1}[f]
	if f != small {
		n += int64(turn)
	}
	switch sample.Tag() {
	case tlv.TagInt32:
		return tlv.Int32(int32(n))
	case tlv.TagInt64:
		return tlv.Int64(n)
	case tlv.TagFloat32:
		return tlv.Float32(float32(n))
	case tlv.TagFloat64:
		return tlv.Float64(float64(n))
	}
	return textOf(sample.Tag(), fmt.Sprintf("%c%03d", 'p'+rune(f)+rune(families)*rune(turn), call))
}

// storing is a method that stores a value: its last argument. Those before it name its place.
type storing struct {
	*stateFiller
	full int // the call that was refused first; above maxStored for none
	turn int // the values of each family are others for each
}

func storable(v tlv.Value) bool {
	return magnitude(v) > 0 || isText(v) || v.Tag() != tlv.TagBool && isNumberTag(v)
}

func isNumberTag(v tlv.Value) bool {
	return slices.Contains([]tlv.Tag{tlv.TagInt32, tlv.TagInt64, tlv.TagFloat32, tlv.TagFloat64}, v.Tag())
}

// values are the arguments of a call that stores.
func (f *storing) values(fam family, call int) []tlv.Value {
	all := slices.Clone(f.s)
	for i, v := range all {
		switch {
		case i == len(all)-1:
			all[i] = fam.datum(call, f.turn, v)
		case f.only > 0: // it must be known
		case isText(v):
			all[i] = textOf(v.Tag(), fmt.Sprintf("k%03d", call))
		case isNumberTag(v):
			all[i] = withMagnitude(v, float64(call-1))
		}
	}
	return all
}

// told is what a reader answered.
type told struct {
	code  abi.Code
	value tlv.Value
	data  string
}

// opaque stores values with each method of a box that takes some, and looks whether what others
// answer depends on the values.
func (x *exploration) opaque(b *box, until time.Time) {
	for _, m := range x.gen.callable(b) {
		for _, s := range x.gen.typesOf(m) {
			if len(s) == 0 || !storable(s[len(s)-1]) || slices.ContainsFunc(s, func(v tlv.Value) bool { return isBlob(v) || isHandle(v) }) {
				continue
			}
			if x.ctx.Err() != nil || time.Now().After(until) {
				return
			}
			if !x.stores(b, filling{m: m, s: s}, until) && len(s) > 1 {
				x.stores(b, filling{m: m, s: s, only: len(s)}, until)
			}
		}
	}
}

// stores looks at one method that stores. It is false where that does not take values with other keys each.
func (x *exploration) stores(b *box, pair filling, until time.Time) bool {
	own, _ := x.env.alone()
	w, err := own.start(workerOptions{plain: true})
	if w == nil || err != nil {
		return true
	}
	defer func() {
		w.close()
		x.counted(own.check.Calls)
	}()
	f := &storing{stateFiller: &stateFiller{player: newPlayer(w, nil, sequence{x.firstBirth(b)}, world{plain: true, keeps: true}), b: b, filling: pair}, full: maxStored + 1}
	readers, err := f.readers(x)
	if err != nil || len(readers) == 0 {
		return f.full > leastStored // an exit shows elsewhere
	}
	// Those that take nothing away can be called in one play.
	var groups [][]storedReader
	stay := slices.DeleteFunc(slices.Clone(readers), func(r storedReader) bool { return r.takes })
	if len(stay) > 0 {
		groups = append(groups, stay)
	}
	for _, r := range readers {
		if r.takes {
			groups = append(groups, []storedReader{r})
		}
	}
	for _, group := range groups {
		all, err := f.depends(group, f.steps(group[0].takes), until)
		if err != nil {
			return true
		}
		for i, d := range all {
			if d.at == 0 {
				continue
			}
			again, err := f.depends(group[i:i+1], []int{1, 2, 3, 4, d.at}, until.Add(time.Second))
			if err != nil {
				return true
			}
			if again[0] != d {
				continue
			}
			if always, err := f.always(group[i], d, until); err != nil {
				return true
			} else if always {
				x.reportDepends(f, group[i], d)
			}
		}
	}
	return true
}

// otherTurns is how many more values of each family are tried before it is reported.
const otherTurns = 2

// always tells whether other values show it after as many calls: an array is full whatever is in it. What
// depends on hashes shows sooner or later.
func (f *storing) always(r storedReader, d dependence, until time.Time) (bool, error) {
	steps := f.steps(r.takes)
	steps = append(slices.DeleteFunc(steps, func(n int) bool { return n >= d.at }), d.at)
	defer func() { f.turn = 0 }()
	for f.turn = 1; f.turn <= otherTurns; f.turn++ {
		other, err := f.depends([]storedReader{r}, steps, until.Add(time.Second))
		if err != nil || other[0].at != d.at {
			return false, err
		}
	}
	return true, nil
}

// steps are after how many calls readers are called.
func (f *storing) steps(takes bool) []int {
	steps := storedSteps
	if takes {
		steps = popSteps
	}
	steps = slices.DeleteFunc(slices.Clone(steps), func(n int) bool { return n > leastStored && n >= f.full })
	if f.full <= maxStored {
		steps = append(steps, f.full-2, f.full-1)
		slices.Sort(steps)
		steps = slices.Compact(slices.DeleteFunc(steps, func(n int) bool { return n < 1 }))
	}
	return steps
}

// storedReader is a method that is called to see what has become of the state.
type storedReader struct {
	m     *method
	s     shape
	takes bool // it answers otherwise when it is called again, or others do
}

// readers finds how many calls succeed, and the methods that answer something.
func (f *storing) readers(x *exploration) (all []storedReader, err error) {
	on, err := f.begin()
	if err != nil {
		return nil, err
	}
	for call := 1; call <= maxStored; call++ {
		a, _, err := f.one(f.m, on, f.values(larger, call))
		if err != nil {
			return nil, err
		}
		if a.code != abi.OK {
			f.full = call
			break
		}
	}
	if err := f.end(on); err != nil || f.full <= leastStored {
		return nil, err
	}
	for _, r := range x.gen.callable(f.b) {
		shapes := x.gen.typesOf(r)
		if r == f.m || len(shapes) == 0 || slices.ContainsFunc(shapes[0], func(v tlv.Value) bool { return isBlob(v) || isHandle(v) }) {
			continue
		}
		if on, err = f.begin(); err != nil {
			return nil, err
		}
		if err := f.store(large, on, 1, 3); err != nil {
			return nil, err
		}
		first, err := f.ask(r, shapes[0], on)
		if err != nil {
			return nil, err
		}
		second, err := f.ask(r, shapes[0], on)
		if err != nil {
			return nil, err
		}
		if err := f.end(on); err != nil {
			return nil, err
		}
		if first.code == abi.OK && first.value.Tag() != tlv.TagBool && (isNumberTag(first.value) || isText(first.value)) {
			all = append(all, storedReader{r, shapes[0], first != second || x.gen.changes[r]})
		}
	}
	return all, nil
}

func (f *storing) begin() (instance, error) {
	id, err := f.birth(f.b)
	on := instance{f.b, id}
	for _, c := range f.shared.setup(f.m) {
		if err != nil {
			break
		}
		_, _, err = f.one(c.m, on, c.args)
	}
	return on, err
}

func (f *storing) end(on instance) error { return f.fini(on.box, on.id) }

func (f *storing) store(fam family, on instance, from, to int) error {
	for call := from; call <= to; call++ {
		a, _, err := f.one(f.m, on, f.values(fam, call))
		if err != nil {
			return err
		}
		if a.code != abi.OK {
			return errRefused
		}
	}
	return nil
}

// errRefused means that values of one family are not taken, which are of another.
var errRefused = errors.New("a value is refused")

func (f *storing) ask(r *method, s shape, on instance) (told, error) {
	a, _, err := f.one(r, on, s)
	if err != nil {
		return told{}, err
	}
	out := told{code: a.code}
	if v, ok := a.value(); ok && a.code == abi.OK {
		out.value, out.data = v, v.Data()
	}
	return out, nil
}

// dependence is after how many calls a reader first answers what depends on the values, and those
// that show it. It has no calls where none does.
type dependence struct {
	at       int
	one, two family
	none     bool // it answers none of the values, as it did with fewer calls
}

// depends finds it for each of several readers, which are called one after another.
func (f *storing) depends(readers []storedReader, steps []int, until time.Time) ([]dependence, error) {
	plays := make([][families][]told, len(readers))
	for fam := range families {
		if err := f.storeAll(fam, readers, steps, until, plays); err != nil {
			return nil, err
		}
	}
	all := make([]dependence, len(readers))
	for i, r := range readers {
		all[i] = f.dependence(r, steps, &plays[i])
	}
	return all, nil
}

// errTime means that there was no time for all calls.
var errTime = errors.New("there is no time left")

// storeAll stores values of one family, and calls the readers after so many of them.
func (f *storing) storeAll(fam family, readers []storedReader, steps []int, until time.Time, plays [][families][]told) error {
	takes := slices.ContainsFunc(readers, func(r storedReader) bool { return r.takes })
	on, err := f.begin()
	if err != nil {
		return err
	}
	stored := 0
	for _, n := range steps {
		if time.Now().After(until) {
			return errTime
		}
		if stored > 0 && takes {
			if err := f.end(on); err != nil {
				return err
			}
			if on, err = f.begin(); err != nil {
				return err
			}
			stored = 0
		}
		err := f.store(fam, on, stored+1, n)
		if errors.Is(err, errRefused) {
			break
		}
		if err != nil {
			return err
		}
		stored = n
		for i, r := range readers {
			a, err := f.ask(r.m, r.s, on)
			if err != nil {
				return err
			}
			plays[i][fam] = append(plays[i][fam], a)
		}
	}
	return f.end(on)
}

// dependence judges what a reader answered.
func (f *storing) dependence(r storedReader, steps []int, plays *[families][]told) (d dependence) {
	// A reader whose answers were always the same may begin to tell of a value, such as one that
	// has made room; one that counts does not.
	constant, counts, data := true, true, true
	for i, n := range steps {
		if i >= len(plays[large]) || i >= len(plays[larger]) {
			return d
		}
		all := []told{plays[large][i], plays[larger][i]}
		if len(r.s) == 0 && i < len(plays[small]) { // else its arguments may be among these values
			all = append(all, plays[small][i])
		}
		alike := !slices.ContainsFunc(all[1:], func(a told) bool { return a != all[0] })
		if n <= 4 {
			counts = counts && alike
		}
		explained := f.explained(all, n)
		if data && !explained && n > leastStored && all[0].code == abi.OK && alike && isTelling(all[0].value) && !f.kept(all, n) {
			return dependence{at: n, none: true}
		}
		data = data && explained
		if alike || explained && (n <= 4 || constant || !counts) {
			constant = constant && all[0] == plays[large][0]
			continue
		}
		if n <= 4 || f.kept(all, n) && (constant || !counts) || !f.damagedBy(all, n, constant) {
			return d
		}
		other := slices.IndexFunc(all, func(a told) bool { return a != all[0] })
		return dependence{at: n, one: large, two: family(other)}
	}
	return d
}

// explained tells whether the answers of all families are the same one of what each has stored.
func (f *storing) explained(all []told, n int) bool {
	for call := 1; call <= n; call++ {
		if f.areData(all, func(fam family, a told) bool { return equalValue(a.value, fam.datum(call, f.turn, f.datumSample())) }) {
			return true
		}
	}
	return false
}

func (f *storing) datumSample() tlv.Value { return f.s[len(f.s)-1] }

// areData tells whether all answers are what is asked for, of the families in their order.
func (f *storing) areData(all []told, is func(fam family, a told) bool) bool {
	for i, a := range all {
		if a.code != abi.OK || !is(family(i), a) {
			return false
		}
	}
	return true
}

// kept tells whether all answers are of what was stored, whichever it is: a method that keeps some
// by their value does so.
func (f *storing) kept(all []told, n int) bool {
	return len(f.s) == 1 && f.areData(all, func(fam family, a told) bool {
		for call := 1; call <= n; call++ {
			if equalValue(a.value, fam.datum(call, f.turn, f.datumSample())) {
				return true
			}
		}
		return false
	})
}

// equalValue compares numbers of any type, and texts.
func equalValue(a, b tlv.Value) bool {
	if n, err := a.Int(); err == nil {
		m, err := b.Int()
		return err == nil && n == m
	}
	return equalText(a, b)
}

// damagedBy tells whether answers that depend on the values are such as no design gives: a number
// that has the stored value in it, an error for some of them, or a text that was always the
// same before. constant is whether it was.
func (f *storing) damagedBy(all []told, n int, constant bool) bool {
	for _, a := range all {
		if (a.code == abi.OK) != (all[0].code == abi.OK) {
			return true
		}
	}
	if all[0].code != abi.OK {
		return false
	}
	if slices.ContainsFunc(all, func(a told) bool { return isText(a.value) }) {
		return constant
	}
	least, most := math.Inf(1), math.Inf(-1)
	for _, a := range all {
		number, ok := numberOf(a.value)
		if !ok {
			return false
		}
		least, most = min(least, number), max(most, number)
	}
	return most-least > estimate*float64(n) || f.writtenOver(all, n)
}

// estimate is how many times the number of stored values the answers may differ by of what estimates something
// of them, such as how many are different.
const estimate = 32

// writtenOver tells whether the answers are numbers of which one byte is the first, or the last but a few, of what
// the last call stored in each family.
func (f *storing) writtenOver(all []told, n int) bool {
	for shift := 0; shift < 64; shift += 8 {
		same := true
		for i, a := range all {
			have, err := a.value.Int()
			datum := f.values(family(i), n)[len(f.s)-1]
			is := byte(magnitude(datum))
			if isText(datum) {
				is = datum.Data()[0]
			}
			same = same && err == nil && have > int64(n) && byte(have>>shift)-is < leastStored
		}
		if same {
			return true
		}
	}
	return false
}

func numberOf(v tlv.Value) (float64, bool) {
	if n, err := v.Int(); err == nil {
		return float64(n), true
	}
	f, err := v.Float()
	return f, err == nil
}

// reportDepends reports it, with the calls of the family that shows it.
func (x *exploration) reportDepends(f *storing, r storedReader, d dependence) {
	key := findingKey{codeDamaged, r.m.String(), "opaque"}
	if x.done[key] {
		return
	}
	x.done[key] = true
	var ops sequence
	var answers [2][]observed
	var last [2]string
	for i, fam := range []family{d.one, d.two} {
		ops = append(sequence{x.firstBirth(f.b)}, x.setupOf(f.m)...)
		for call := 1; call <= d.at; call++ {
			ops = append(ops, op{m: f.m, on: 0, args: literals(f.values(fam, call))})
		}
		ops = append(ops, op{m: r.m, on: 0, args: literals(r.s)})
		if answers[i] = x.env.play(ops, ordinary).answers; len(answers[i]) < len(ops) {
			return
		}
		last[i] = showValue(fam.datum(d.at, f.turn, f.datumSample()))
	}
	at := len(ops) - 1
	s := x.shown(ops, at)
	how := fmt.Sprintf("what it answers depends on the values: %v where the last is %s, and %v where it is %s; with fewer calls they make no difference", &answers[0][at], last[0], &answers[1][at], last[1])
	if d.none {
		how = fmt.Sprintf("it answered %v, which is none of the values that it was given; with fewer calls it answers one of them", &answers[1][at])
	}
	g := s.finding(codeDamaged, "after %d calls of %v %s", d.at, f.m, how)
	g.Expected = "a value that is stored to change nothing but its own place"
	g.Fix = "compare the index, or the count, with the capacity before you write: an array of N has the indices below N"
	x.report(g, ops, ordinary, answers[1])
}
