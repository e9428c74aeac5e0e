package plugintest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A round trip is a value that a method, or a birth, is given and that it, or another method of the same
// instance, answers. Where that is so of small values, large ones must come back as well, or
// be refused: what comes back damaged in a way that sizes of small types, NULs or narrow
// numbers explain is a fault. A value that comes back in any other way may be meant to.
type roundTrip struct {
	put    *method
	values []tlv.Value // of put
	at     int         // which of them comes back
	get    *method     // put itself, or a method that is called after it
	args   []tlv.Value // of get
	setup  []op        // what is called first
}

func (t *roundTrip) ops(birth op, v tlv.Value) sequence {
	values := slices.Clone(t.values)
	values[t.at] = v
	if t.put.isBirth() {
		birth.args = literals(values)
	}
	ops := append(sequence{birth}, t.setup...)
	if !t.put.isBirth() {
		ops = append(ops, op{m: t.put, on: 0, args: literals(values)})
	}
	if t.get != t.put {
		ops = append(ops, op{m: t.get, on: 0, args: literals(t.args)})
	}
	return ops
}

func literals(values []tlv.Value) []argument {
	all := make([]argument, len(values))
	for i, v := range values {
		all[i] = argument{value: v}
	}
	return all
}

// withInstance are arguments in which all instances are the one that an op makes.
func withInstance(types shape, at int) []argument {
	all := literals(types)
	for i, v := range types {
		if isHandle(v) {
			all[i] = argument{ref: at + 1}
		}
	}
	return all
}

// firstBirth is the birth of a box with the arguments that it takes.
func (x *exploration) firstBirth(b *box) op {
	return op{m: b.birth, on: -1, made: b, args: literals(x.shared.births[b])}
}

// setupOf are the calls on the first instance that a method needs before its own.
func (x *exploration) setupOf(m *method) []op { return x.asOps(x.shared.setup(m)) }

// asOps are calls on the first instance.
func (x *exploration) asOps(calls []setupCall) (ops []op) {
	for _, c := range calls {
		ops = append(ops, op{m: c.m, on: 0, args: literals(c.args)})
	}
	return ops
}

// tryShorter has a short text follow a long one: what comes back must not be as long as that.
func (x *exploration) tryShorter(b *box, t *roundTrip) {
	tag := t.values[t.at].Tag()
	if t.get == t.put || t.put.isBirth() || tag != tlv.TagString && tag != tlv.TagBytes {
		return
	}
	const long, short = "mnoprst", "w"
	ops := t.ops(x.firstBirth(b), textOf(tag, long))
	put, get := len(ops)-2, len(ops)-1
	second := ops[put]
	second.args = slices.Clone(second.args)
	second.args[t.at].value = textOf(tag, short)
	ops = slices.Insert(ops, get, second)
	get++
	stale := func() (string, bool) {
		out := x.env.play(ops, ordinary)
		if out.exit != nil || len(out.answers) < len(ops) || out.answers[get].code != abi.OK {
			return "", false
		}
		got := out.answers[get].value.Data()
		return got, isText(out.answers[get].value) && len(got) == len(long) && strings.HasPrefix(got, short)
	}
	for range agreeing {
		if _, ok := stale(); !ok {
			return
		}
	}
	got, _ := stale()
	s := t.get.step(1, encode(ops[get].values()))
	f := s.finding(codeDamaged, "%v was given %q and then %q, and %v answered %q: it is as long as the first", t.put, long, short, t.get, got)
	x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
}

// typesOf are the shapes of a method that differ in their types.
func (g *generator) typesOf(m *method) (all []shape) {
	for _, s := range g.shapes[m] {
		if !slices.ContainsFunc(all, func(have shape) bool {
			return slices.EqualFunc(have, s, func(a, b tlv.Value) bool { return a.Tag() == b.Tag() })
		}) {
			all = append(all, s)
		}
	}
	return all[:min(len(all), 3)]
}

// maxTrips is how many pairs of methods are tried.
const maxTrips = 400

// roundTrips finds them, and tries each with values of all sizes.
func (x *exploration) roundTrips(b *box, until time.Time) {
	defer x.endBench()
	tries := 0
	for _, put := range slices.Concat([]*method{b.birth}, x.gen.callable(b)) {
		for _, s := range x.given(put) {
			for at := range s {
				if probes(s[at].Tag()) == nil || x.ctx.Err() != nil {
					continue
				}
				var back []roundTrip
				for _, t := range x.trips(b, put, s, at) {
					if tries++; tries > maxTrips || time.Now().After(until) {
						return
					}
					if x.comesBack(b, &t) {
						back = append(back, t)
					}
				}
				for i := range back {
					if !time.Now().Before(until) {
						return
					}
					x.tryTrip(b, &back[i], len(back) == 1 && back[i].get == put)
					x.tryShorter(b, &back[i])
				}
			}
		}
	}
}

// given are the arguments that a method takes, or a birth of instances that are not one for all.
func (x *exploration) given(m *method) []shape {
	if !m.isBirth() {
		return x.gen.typesOf(m)
	}
	if m.box.singleton {
		return nil
	}
	return []shape{x.shared.births[m.box]}
}

// trips are what may answer a value that a method is given: it itself, and others, with no
// arguments or with the key that the method was given.
func (x *exploration) trips(b *box, put *method, s shape, at int) []roundTrip {
	var all []roundTrip
	if !put.isBirth() {
		all = append(all, roundTrip{put: put, values: s, at: at, get: put, setup: x.setupOf(put)})
	}
	for _, get := range x.gen.callable(b) {
		if get == put {
			continue
		}
		for _, args := range x.gen.typesOf(get) {
			args := slices.Clone(args)
			for i := range args { // the same key
				if k := i; k < len(s) && k != at && s[k].Tag() == args[i].Tag() {
					args[i] = s[k]
				}
			}
			t := roundTrip{put: put, values: s, at: at, get: get, args: args, setup: x.setupOf(put)}
			if put.isBirth() {
				t.setup = x.setupOf(get)
			}
			if !slices.ContainsFunc(all, func(have roundTrip) bool { return have.get == get && slices.Equal(have.args, args) }) {
				all = append(all, t)
			}
		}
	}
	return all
}

// probes are small values, no two of which have anything in common.
func probes(tag tlv.Tag) []tlv.Value {
	switch tag {
	case tlv.TagInt32:
		return []tlv.Value{tlv.Int32(17), tlv.Int32(5), tlv.Int32(23)}
	case tlv.TagInt64:
		return []tlv.Value{tlv.Int64(17), tlv.Int64(5), tlv.Int64(23)}
	case tlv.TagFloat64:
		return []tlv.Value{tlv.Float64(2.5), tlv.Float64(7.25), tlv.Float64(0.5)}
	case tlv.TagString, tlv.TagBytes:
		return []tlv.Value{textOf(tag, "qx"), textOf(tag, "mnoprst"), textOf(tag, "w")}
	}
	return nil
}

// comesBack tells whether small values come back.
func (x *exploration) comesBack(b *box, t *roundTrip) bool {
	for _, v := range probes(t.values[t.at].Tag()) {
		got, ok := x.sendTrip(b, t, v)
		if !ok || !equalText(got, v) {
			return false
		}
	}
	return true
}

// equalText compares values, of which texts may have come back as bytes.
func equalText(a, b tlv.Value) bool {
	return a == b || isText(a) && isText(b) && a.Data() == b.Data()
}

func isNumeric(v tlv.Value) bool {
	switch v.Tag() {
	case tlv.TagInt32, tlv.TagInt64, tlv.TagFloat32, tlv.TagFloat64:
		return true
	}
	return false
}

func isText(v tlv.Value) bool { return v.Tag() == tlv.TagString || v.Tag() == tlv.TagBytes }

// bench is a worker that serves many sequences, as starting it takes longer than the calls.
type bench struct {
	w      *worker
	report *Report
}

// onBench makes the calls in such a worker, in the ordinary world.
func (x *exploration) onBench(ops sequence) *played { return x.on(&x.bench, ops, ordinary) }

// onPlain makes them in ordinary memory, which is many times as fast: for what only the answers show.
func (x *exploration) onPlain(ops sequence) *played {
	if x.shared.keepsMemory {
		return x.onBench(ops)
	}
	return x.on(&x.plain, ops, world{plain: true, keeps: true})
}

func (x *exploration) on(b *bench, ops sequence, in world) *played {
	if b.w == nil {
		own, report := x.env.alone()
		w, err := own.start(workerOptions{plain: in.plain})
		if w == nil || err != nil {
			return &played{none: true}
		}
		b.w, b.report = w, report
	}
	p := newPlayer(b.w, b.report, ops, in)
	p.run()
	x.played++
	if p.out.exit != nil {
		x.end(b)
		if again := x.env.play(ops, ordinary); again.exit != nil { // without the calls that were made before
			x.exited(ops, again)
		}
	}
	return p.out
}

// sendTrip makes the calls; ok is whether all of them succeeded.
func (x *exploration) sendTrip(b *box, t *roundTrip, v tlv.Value) (got tlv.Value, ok bool) {
	ops := t.ops(x.firstBirth(b), v)
	out := x.onBench(ops)
	if out.exit != nil || len(out.findings) > 0 {
		x.faults(ops, out)
		return got, false
	}
	if len(out.answers) < len(ops) {
		return got, false
	}
	for i := range out.answers {
		if !out.answers[i].made || out.answers[i].code != abi.OK {
			return got, false
		}
	}
	last := &out.answers[len(ops)-1]
	return last.value, true
}

func (x *exploration) endBench() {
	x.end(&x.bench)
	x.end(&x.plain)
}

func (x *exploration) end(b *bench) {
	if b.w != nil {
		x.counted(b.w.check.Calls)
		b.w.close()
	}
	*b = bench{}
}

// tryTrip tries a round trip with values at which sizes and numbers go wrong. pure is whether
// the method that is given a value is the only one that answers it: such a one, which keeps
// nothing, may be for taking a number's low bits.
func (x *exploration) tryTrip(b *box, t *roundTrip, pure bool) {
	for _, v := range hardValues(t.values[t.at].Tag()) {
		if x.ctx.Err() != nil || x.gen.avoid[t.put] || x.gen.avoid[t.get] {
			return
		}
		got, ok := x.sendTrip(b, t, v)
		if !ok || equalText(got, v) {
			continue
		}
		how := damageOf(v, got)
		if how == "" || meansDamage(v, t.put, t.get) || pure && lowBits(v, got) || !x.alwaysSo(b, t, v, got) {
			continue
		}
		for range agreeing - 1 {
			if again, ok := x.sendTrip(b, t, v); !ok || again != got {
				how = ""
			}
		}
		if how == "" {
			continue
		}
		ops := t.ops(x.firstBirth(b), v)
		s := t.get.step(1, encode(slices.Clone(ops[len(ops)-1].values())))
		f := s.finding(codeDamaged, "%v was given %s, and %s: %s", t.put, showValue(v), pick(t.get == t.put, "answered "+showValue(got), t.get.String()+" answered "+showValue(got)), how)
		f.Fix = damageFix() + howToMean
		x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
		return
	}
}

// damageFix is how to mend what the code is for.
func damageFix() string {
	rule, _ := RuleOf(codeDamaged)
	return rule.Fix
}

// alwaysSo tells whether other values come back damaged in the same way, which a fault does: a
// number that is cut is always cut to as many bits, a size that wraps does so with another text, and a
// text that is cut at a NUL is not cut at other control characters.
func (x *exploration) alwaysSo(b *box, t *roundTrip, given, damaged tlv.Value) bool {
	if isText(given) {
		return x.alwaysCut(b, t, given, damaged)
	}
	if _, err := given.Int(); err != nil {
		return true
	}
	causes := causesOf(given, damaged)
	for _, v := range hardValues(given.Tag()) {
		got, ok := x.sendTrip(b, t, v)
		n, err := v.Int()
		if !ok || err != nil {
			continue
		}
		causes = slices.DeleteFunc(causes, func(c narrowing) bool { return !isNumber(got, c.cut(n)) })
	}
	return len(causes) > 0
}

// alwaysCut is alwaysSo for texts.
func (x *exploration) alwaysCut(b *box, t *roundTrip, given, damaged tlv.Value) bool {
	text, got := given.Data(), damaged.Data()
	if nul := strings.IndexByte(text, 0); nul >= 0 && got == text[:nul] {
		for _, end := range []string{"\x01", "\n"} {
			if line, ok := x.sendTrip(b, t, textOf(given.Tag(), strings.ReplaceAll(text, "\x00", end))); ok && line.Data() == got {
				return false // it takes a line, or what can be printed
			}
		}
		return true
	}
	if len(got) > len(text) {
		return !slices.ContainsFunc(append(slices.Clone(t.values), t.args...), isNumeric) // which may be how long it is to be
	}
	if len(got) == len(text) {
		return true
	}
	size := len(text) + 7
	if size > tlv.MaxPayload-8 {
		size = len(text) - 7
	}
	longer, ok := x.sendTrip(b, t, textOf(given.Tag(), pattern(size, 0)))
	return ok && len(longer.Data()) != len(got) // else it is as long as a text may be
}

func (o *op) values() (all []tlv.Value) {
	for _, a := range o.args {
		all = append(all, a.value)
	}
	return all
}

// hardValues are those of a type at which sizes and numbers go wrong.
func hardValues(tag tlv.Tag) (all []tlv.Value) {
	switch tag {
	case tlv.TagInt32, tlv.TagInt64, tlv.TagFloat64:
		all = numbersOf(tag, boundaryInts, []float64{0.1, 1e300, -1e300, 1<<53 - 1, 1e-9, 1.0 / 3, math.SmallestNonzeroFloat64})
	case tlv.TagString:
		for _, n := range boundarySizes {
			all = append(all, tlv.String(pattern(n, 0)))
		}
		all = append(all, tlv.String("ab\x00cd"), tlv.String("é日𝄞"), tlv.String(strings.Repeat("é", 200)), tlv.String(strings.Repeat("日", 100)))
	case tlv.TagBytes:
		for _, n := range boundarySizes {
			all = append(all, tlv.Bytes([]byte(pattern(n, 0))))
		}
		all = append(all, tlv.Bytes([]byte("ab\x00cd")), tlv.Bytes([]byte{0xff, 0xfe, 0x80, 0x00, 0x01}))
	}
	return all
}

// damageOf says how a value was damaged, where that is a fault for sure.
func damageOf(given, got tlv.Value) string {
	switch {
	case given.Tag() == tlv.TagBytes && got.Tag() == tlv.TagString && !utf8.ValidString(given.Data()):
		return "" // it has to be made text
	case isText(given) && isText(got):
		return textDamage(given.Data(), got.Data())
	case given.Tag() == tlv.TagFloat64:
		a, _ := given.Float()
		b, err := got.Float()
		switch {
		case err != nil:
			return ""
		case b == float64(float32(a)):
			return "it was cut to 32 bits"
		case isFormatted(a, b, 'f') || isFormatted(a, b, 'g'):
			return "it was cut to six digits, as %f and %g do"
		}
		return ""
	}
	if causes := causesOf(given, got); len(causes) > 0 {
		return "it was cut to " + causes[0].how
	}
	return ""
}

// isFormatted tells whether a number is another one that was a text with six digits meanwhile.
func isFormatted(given, got float64, format byte) bool {
	n, err := strconv.ParseFloat(strconv.FormatFloat(given, format, 6, 64), 64)
	return err == nil && n == got && n != given
}

// narrowing is a conversion of a number to fewer bits.
type narrowing struct {
	how  string
	bits int
	cut  func(int64) int64
}

// narrowings are those that are tried, those that leave the most first.
var narrowings = []narrowing{
	{"the 53 bits of a double", 53, func(n int64) int64 { return int64(float64(n)) }},
	{"32 bits", 32, func(n int64) int64 { return int64(int32(n)) }},
	{"32 bits", 32, func(n int64) int64 { return int64(uint32(n)) }},
	{"the 24 bits of a float", 24, func(n int64) int64 { return int64(float32(n)) }},
	{"16 bits", 16, func(n int64) int64 { return int64(int16(n)) }},
	{"16 bits", 16, func(n int64) int64 { return int64(uint16(n)) }},
	{"8 bits", 8, func(n int64) int64 { return int64(int8(n)) }},
	{"8 bits", 8, func(n int64) int64 { return int64(uint8(n)) }},
}

// causesOf are the narrowings that explain what came of a number; none where it is the same.
func causesOf(given, got tlv.Value) (all []narrowing) {
	n, err := given.Int()
	if err != nil || isNumber(got, n) {
		return nil
	}
	for _, c := range narrowings {
		if isNumber(got, c.cut(n)) {
			all = append(all, c)
		}
	}
	return all
}

func isNumber(v tlv.Value, n int64) bool {
	have, err := v.Int()
	return err == nil && have == n
}

// lowBits tells whether a number may have been cut to 16 bits or fewer.
func lowBits(given, got tlv.Value) bool {
	return slices.ContainsFunc(causesOf(given, got), func(c narrowing) bool { return c.bits <= 16 })
}

func textDamage(given, got string) string {
	nul := strings.IndexByte(given, 0)
	n := len(given)
	switch {
	case nul >= 0 && got == given[:nul]:
		return "it was cut at the NUL"
	case n == len(got):
		k := 0
		for k < n && given[k] == got[k] {
			k++
		}
		if strings.EqualFold(given, got) {
			return "" // on purpose
		}
		return fmt.Sprintf("it differs from byte %d on", k)
	case len(got) == n-1 && n > 1 && strings.HasPrefix(given, got):
		return "its last byte is missing"
	case len(got) == n+1 && strings.HasPrefix(got, given):
		return "there is a byte behind it"
	case got == "" || !strings.HasPrefix(given, got):
		return "" // another value, or none
	case len(got) == n%128, len(got) == n%256, len(got) == n%65536:
		return fmt.Sprintf("its size wrapped, from %d to %d", n, len(got))
	}
	return ""
}
