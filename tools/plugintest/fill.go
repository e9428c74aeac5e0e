package plugintest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A state is made large, and the methods that read it are called while it grows.
const (
	fillCalls = 3200
	fillSize  = 48 // of each text, in bytes
	// fillTime is how long it may take to fill a state.
	fillTime = 1500 * time.Millisecond
)

// fillSteps are the numbers of calls after which the readers are called. The first show how
// the results grow.
var fillSteps = []int{1, 2, 3, 4, 100, 200, 254, 255, 256, 257, 258, 300, 400, 800, 1200, 1400, 1600, 3200}

// filling is a method that makes a state large, and one that is called while it grows.
type filling struct {
	m, r *method
	s    shape
	only int // from 1: the text that alone differs from call to call, by its number: the others are names that must be known. 0 for all
	more int // bytes that the other's answer grows by with a call
	// room is whether the instance is given as much room as there can be.
	room bool
	wide int // letters of three bytes in each text; 0 for others
}

// fill makes the state of a box large with each of its methods that takes a text, nothing, or whole numbers.
func (x *exploration) fill(b *box, until time.Time) {
	for i, f := range x.fillings(b) {
		if i >= maxFills || time.Now().After(until) || x.ctx.Err() != nil {
			return
		}
		if !x.gen.avoid[f.r] && !x.gen.avoid[f.m] {
			x.at(f.m)
			if !x.fillWith(b, &f) {
				continue
			}
			if x.hasRoom(b) {
				f.room = true
				x.fillWith(b, &f)
			}
			x.fillWide(b, f)
		}
	}
}

// wideLetters are how many letters of three bytes are tried in each text: what texts of
// 255, 200 and 100 bytes hold.
var wideLetters = []int{80, 64, 31}

// fillWide fills a state again that has a limit, with the longest texts that it takes: what it answers is
// more than a result holds then, and may be cut between the bytes of a letter.
func (x *exploration) fillWide(b *box, f filling) {
	if !slices.ContainsFunc(f.s, func(v tlv.Value) bool { return v.Tag() == tlv.TagString }) || !f.r.answersText() {
		return
	}
	for _, f.wide = range wideLetters {
		if x.takesNumbered(b, &f) {
			x.fillWith(b, &f)
			return
		}
	}
}

// fillings are those of a box, those first in which the other method sees what is stored.
func (x *exploration) fillings(b *box) []filling {
	var own, seen, rest []filling
	readers := slices.DeleteFunc(x.gen.callable(b), func(r *method) bool { return !x.repeats(b, r) })
	for _, m := range x.gen.callable(b) {
		f, ok := x.fillingWith(b, m)
		if !ok {
			continue
		}
		own = append(own, f)
		see := x.see(b, &f, readers)
		seen = append(seen, see...)
		for _, r := range x.gen.callable(b) {
			if r != m && !slices.ContainsFunc(see, func(f filling) bool { return f.r == r }) {
				rest = append(rest, filling{m: m, r: r, s: f.s, only: f.only})
			}
		}
	}
	slices.SortStableFunc(seen, func(a, b filling) int { return cmp.Compare(b.more, a.more) })
	return slices.Concat(seen, own, rest)
}

// fillingWith is how to fill an instance by calls of a method; ok is false where it takes nothing that can be new each time.
func (x *exploration) fillingWith(b *box, m *method) (f filling, ok bool) {
	all := x.gen.shapes[m]
	i := slices.IndexFunc(all, func(s shape) bool { return len(s) == 0 || slices.ContainsFunc(s, isText) })
	if i >= 0 {
		f = filling{m: m, r: m, s: all[i]}
		x.findOnly(b, &f)
		return f, true
	}
	i = slices.IndexFunc(all, func(s shape) bool {
		return slices.ContainsFunc(s, isInteger) && !slices.ContainsFunc(s, isHandle) && !slices.ContainsFunc(s, isBlob)
	})
	if i < 0 {
		return f, false
	}
	f = filling{m: m, r: m, s: all[i]}
	return f, x.takesNumbered(b, &f)
}

// findOnly finds which texts a method takes that are all new: all of them, or one, the last that it does.
func (x *exploration) findOnly(b *box, f *filling) {
	if x.takesNumbered(b, f) {
		return
	}
	for i, v := range slices.Backward(f.s) {
		if f.only = i + 1; isText(v) && x.takesNumbered(b, f) {
			return
		}
	}
	f.only = lastText(f.s)
}

// lastText is the number, from 1, of the last text; 0 for none.
func lastText(s shape) int {
	for i, v := range slices.Backward(s) {
		if isText(v) {
			return i + 1
		}
	}
	return 0
}

// takesNumbered tells whether a method takes texts that are all new.
func (x *exploration) takesNumbered(b *box, f *filling) bool {
	ops := append(append(sequence{x.firstBirth(b)}, x.setupOf(f.m)...), op{m: f.m, on: 0, args: ownInstances(f.numbered(1))})
	out := x.onBench(ops)
	return out.exit == nil && len(out.answers) == len(ops) && out.answers[len(ops)-1].code == abi.OK
}

// repeats tells whether a method answers something, and the same when it is called again.
func (x *exploration) repeats(b *box, r *method) bool {
	reads := x.fillReader(r)
	ops := append(append(sequence{x.firstBirth(b)}, x.setupOf(r)...), reads, reads)
	out, last := x.onBench(ops), len(ops)-1
	if out.exit != nil || len(out.answers) < len(ops) {
		return false
	}
	a := &out.answers[last]
	return a.made && !a.value.IsVoid() && !isHandle(a.value) && a.same(&out.answers[last-1])
}

func (x *exploration) fillReader(r *method) op {
	return op{m: r, on: 0, args: ownInstances(x.gen.shapes[r][0])}
}

// see are the fillings with a method whose readers answer otherwise after each of some calls, and the
// same when they are called twice.
func (x *exploration) see(b *box, f *filling, readers []*method) (see []filling) {
	const calls = 3
	ops := append(sequence{x.firstBirth(b)}, x.setupOf(f.m)...)
	from, each := len(ops), 1+2*len(readers)
	for n := range calls {
		ops = append(ops, op{m: f.m, on: 0, args: ownInstances(f.numbered(n + 1))})
		for _, r := range readers {
			ops = append(ops, x.fillReader(r), x.fillReader(r))
		}
	}
	out := x.onBench(ops)
	if out.exit != nil || len(out.answers) < len(ops) {
		return nil
	}
	for i, r := range readers {
		var all [calls]*observed
		repeats := r != f.m
		for n := range calls {
			at := from + n*each + 1 + 2*i
			all[n] = &out.answers[at]
			repeats = repeats && all[n].same(&out.answers[at+1])
		}
		if repeats && !all[0].same(all[1]) && !all[1].same(all[2]) {
			see = append(see, filling{m: f.m, r: r, s: f.s, only: f.only, more: all[2].bytes - all[1].bytes})
		}
	}
	return see
}

// measured is what a reader answered after so many calls.
type measured struct {
	calls int
	size  int
	n     int64 // a number
	isN   bool
	took  time.Duration
	fail  bool
}

// stateFiller makes a state large.
type stateFiller struct {
	*player
	b *box
	filling
	rs   shape
	seen []measured // of the reader
	full int        // the call that was refused, early; 0 for none
}

// maxFills is how many pairs of methods are tried.
const maxFills = 60

// fullEarly are so many calls that a state which refuses one of the first has a limit.
const fullEarly = 1000

// fillWith calls a method with many different values, and another in between. It tells whether the state was full early.
func (x *exploration) fillWith(b *box, pair *filling) (full bool) {
	f, report := x.measure(b, pair)
	if f == nil {
		return false
	}
	if f.out.exit != nil {
		x.filledExit(f)
		return false
	}
	for i := range report.Findings { // a result that became malformed, say
		g := report.Findings[i]
		key := findingKey{g.Code, g.Place(), ""}
		if !x.done[key] {
			x.done[key] = true
			g.Message += fmt.Sprintf(", after up to %d calls of %v", fillCalls, f.m)
			x.add(g)
		}
	}
	if g, ok := wraps(f.m, f.r, f.seen); ok {
		x.add(g)
	}
	if g, ok := quadratic(f.m, f.r, f.seen); ok && !namedSquare.MatchString(f.r.name) && !means(meantSquare, f.r) {
		if again, _ := x.measure(b, pair); again != nil {
			if _, ok := quadratic(f.m, f.r, again.seen); ok {
				x.add(g)
			}
		}
	}
	if f.full > 1 && !x.fulls[f.m] {
		x.fulls[f.m] = true
		x.tryFull(f)
	}
	return f.full > 0
}

// tryFull looks whether the call that is refused for want of room changes what others answer.
func (x *exploration) tryFull(f *stateFiller) {
	if meansHalf(f.m) || x.done[findingKey{codeHalf, f.m.String(), ""}] {
		return
	}
	ops := append(sequence{x.firstBirth(f.b)}, x.setupOf(f.m)...)
	for n := 1; n <= f.full; n++ {
		ops = append(ops, op{m: f.m, on: 0, args: ownInstances(f.numbered(n))})
	}
	x.tryRefusal(ops, x.answering(f.b))
}

// measure makes the calls in a worker; nil where there is none.
func (x *exploration) measure(b *box, pair *filling) (*stateFiller, *Report) {
	own, report := x.env.alone()
	if pair.room {
		own.shared.births[b] = x.roomyBirth(b)
	}
	w, err := own.start(workerOptions{plain: true})
	if w == nil || err != nil {
		return nil, nil
	}
	f := &stateFiller{player: newPlayer(w, nil, sequence{x.firstBirth(b)}, world{plain: true, keeps: true}), b: b, filling: *pair, rs: x.gen.shapes[pair.r][0]}
	_ = errors.As(f.run(), &f.out.exit)
	w.close()
	x.counted(own.check.Calls)
	return f, report
}

// run makes the calls, until one fails: the state is full.
func (f *stateFiller) run() error {
	id, err := f.birth(f.b)
	if err != nil {
		return err
	}
	on := instance{f.b, id}
	for _, c := range f.shared.setup(f.m, f.r) {
		if a, _, err := f.one(c.m, on, c.args); err != nil || a.code != abi.OK {
			return err
		}
	}
	start := time.Now()
	for calls := 1; calls <= fillCalls && time.Since(start) < fillTime; calls++ {
		a, took, err := f.one(f.m, on, f.numbered(calls))
		if err != nil {
			return err
		}
		if f.r == f.m || !slices.Contains(fillSteps, calls) {
			if a.code != abi.OK {
				if calls < fullEarly {
					f.full = calls
				}
				return nil
			}
			if f.r == f.m && slices.Contains(fillSteps, calls) {
				f.note(calls, a, took)
			}
			continue
		}
		if a, took, err = f.one(f.r, on, f.rs); err != nil {
			return err
		}
		for range 2 { // the shortest time counts
			_, again, err := f.one(f.r, on, f.rs)
			if err != nil {
				return err
			}
			took = min(took, again)
		}
		f.note(calls, a, took)
	}
	return nil
}

func (f *stateFiller) note(calls int, a *answer, took time.Duration) {
	out := measured{calls: calls, took: took, fail: a.code != abi.OK}
	if v, ok := a.value(); ok {
		out.size = v.Len()
		if n, err := v.Int(); err == nil {
			out.n, out.isN = n, true
		}
		if _, length, err := v.Blob(); err == nil {
			out.size = int(length)
		}
	}
	f.seen = append(f.seen, out)
}

// one makes a call, and takes over what it answers.
func (f *stateFiller) one(m *method, on instance, values []tlv.Value) (*answer, time.Duration, error) {
	args, err := f.encode(values, m.box, on.id)
	if err != nil {
		return nil, 0, err
	}
	s := f.step(m, on.id, args)
	start := time.Now()
	a, err := f.do(s)
	if err == nil {
		a, err = retry(&s, a, f.do)
	}
	took := time.Since(start)
	if err != nil {
		return nil, 0, err
	}
	f.checkAnswer(&s, a)
	f.takeOver(m, a, args)
	return a, took, nil
}

// apartBy is how far numbers of different calls are apart: there is room for those of one call between them.
const apartBy = 16

// numbered are the values of the shape with texts that no other call has: all of them, or the last; or with such numbers where it has
// no texts.
func (f *filling) numbered(n int) []tlv.Value { return f.numberedOf(n, fillSize) }

// numberedOf are numbered with texts of so many bytes.
func (f *filling) numberedOf(n, size int) []tlv.Value {
	all := slices.Clone(f.s)
	numbers := !slices.ContainsFunc(f.s, isText)
	for i, v := range all {
		if numbers && isInteger(v) {
			all[i] = withMagnitude(v, float64(apartBy*n+i))
		}
		if isText(v) && (f.only == 0 || f.only == i+1) {
			all[i] = textOf(v.Tag(), fmt.Sprintf("k%06d%s", n, pattern(size-7, n)))
			if f.wide > 0 && v.Tag() == tlv.TagString {
				all[i] = textOf(v.Tag(), fmt.Sprintf("k%06d%s", n, strings.Repeat("あ", f.wide)))
			}
		}
	}
	return all
}

// filledExit reports an exit while a state was large.
func (x *exploration) filledExit(f *stateFiller) {
	at := f.out.exit.at.m
	if x.exitKnown(at) {
		return
	}
	ops := sequence{x.firstBirth(f.b)}
	if f.room {
		ops[0] = x.largeBirth(f.b)
	}
	for n := 1; n <= fillCalls; n++ {
		ops = append(ops, op{m: f.m, on: 0, args: literals(f.numbered(n))})
	}
	if at == f.r && at != f.m {
		ops = append(ops, op{m: at, on: 0, args: literals(f.rs)})
	}
	if out := x.env.play(ops, ordinary); out.exit != nil {
		x.exited(ops, out)
		return
	}
	x.add(at.finding(pick(isHang(f.out.exit.err), codeHang, codeCrash), "the process ended after up to %d calls of %v: %v", fillCalls, f.m, f.out.exit.err))
}

// wraps finds a size or number that grows by the same for each call, and is then smaller by
// exactly what a small type holds.
func wraps(m, r *method, all []measured) (f Finding, ok bool) {
	if len(all) < 6 || slices.ContainsFunc(all[:4], func(a measured) bool { return a.fail }) {
		return f, false
	}
	for _, what := range []struct {
		name string
		of   func(a measured) (int64, bool)
	}{
		{"a result of %d bytes", func(a measured) (int64, bool) { return int64(a.size), !a.isN && !a.fail && a.size > 0 }},
		{"%d", func(a measured) (int64, bool) { return a.n, a.isN && !a.fail }},
	} {
		first, ok1 := what.of(all[0])
		second, ok2 := what.of(all[1])
		third, ok3 := what.of(all[2])
		step := second - first
		if !ok1 || !ok2 || !ok3 || step <= 0 || third-second != step {
			continue
		}
		for _, a := range all[3:] {
			have, ok := what.of(a)
			want := first + step*int64(a.calls-1)
			if !ok || have == want {
				continue
			}
			for _, range_ := range []int64{128, 256, 32768, 65536} {
				wrapped := want % range_
				if range_ == 128 || range_ == 32768 { // a signed type
					wrapped = (want+range_)%(2*range_) - range_
				}
				// Of a size that has wrapped, what goes in whole is written, perhaps.
				whole := !a.isN && wrapped-have >= 0 && wrapped-have < step && (wrapped-have == 0 || have%step == first%step)
				if want >= range_ && (have == wrapped || whole) && !means(meantNumber, m, r) {
					f = r.finding(codeWraps, "after %d calls of %v it answered "+what.name+", and after %d calls "+what.name+"; %d would be next", a.calls, m, have, all[0].calls, first, want)
					rule, _ := RuleOf(codeWraps)
					f.Fix = rule.Fix + howToMean
					return f, true
				}
			}
			break
		}
	}
	return f, false
}

// quadratic finds calls that take a hundred times as long with ten times the state.
func quadratic(m, r *method, all []measured) (f Finding, ok bool) {
	at := func(calls int) (time.Duration, bool) {
		i := slices.IndexFunc(all, func(a measured) bool { return a.calls == calls && !a.fail })
		if i < 0 {
			return 0, false
		}
		return all[i].took, true
	}
	for _, sizes := range [][2]int{{400, 3200}, {300, 1200}} {
		small, ok1 := at(sizes[0])
		large, ok2 := at(sizes[1])
		times := float64(sizes[1]) / float64(sizes[0])
		if ok1 && ok2 && large >= time.Millisecond && float64(large) >= 0.6*times*times*float64(small) {
			return r.finding(codeQuadratic, "after %d calls of %v it took %v, and after %d calls %v", sizes[0], m, small.Round(time.Microsecond), sizes[1], large.Round(time.Microsecond)), true
		}
	}
	return f, false
}
