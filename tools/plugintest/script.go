package plugintest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A script is Starlark that `nyash run` runs, with a comment that says exactly what is called:
// Starlark has fewer types.
const replayMark = "# replay: "

// recorded is a sequence as a script keeps it.
type recorded struct {
	Version int          `json:"version"`
	Code    string       `json:"code"`
	World   string       `json:"world"`
	Ops     []recordedOp `json:"ops"`
	// Shows is what the last call answered, where that is the fault.
	Shows *recordedAnswer `json:"shows,omitempty"`
}

type recordedAnswer struct {
	Code int32  `json:"code"`
	Sum  string `json:"sum"` // of the result, in hexadecimal
}

// shownByAnswer are the codes of faults that show in what the last call of a sequence answers,
// and nowhere else.
var shownByAnswer = []string{codeDamaged, codeMixed, codeStale, codeHalf, codeAnyType, codeUseAfterFini, codeCopy}

func recordAnswer(code string, ops sequence, in world, answers []observed) *recordedAnswer {
	if in.name != ordinary.name || !slices.Contains(shownByAnswer, code) || len(answers) < len(ops) || len(ops) == 0 {
		return nil
	}
	last := &answers[len(ops)-1]
	return &recordedAnswer{int32(last.code), strconv.FormatUint(last.sum, 16)}
}

// is tells whether a sequence was answered so.
func (r *recordedAnswer) is(ops sequence, out *played) bool {
	if r == nil || out.exit != nil || len(out.answers) != len(ops) || len(ops) == 0 {
		return false
	}
	last := &out.answers[len(ops)-1]
	return last.made && int32(last.code) == r.Code && strconv.FormatUint(last.sum, 16) == r.Sum
}

type recordedOp struct {
	Box    string        `json:"box"`
	Method string        `json:"method"`
	On     int           `json:"on"`
	Args   []recordedArg `json:"args,omitempty"`
	Makes  string        `json:"makes,omitempty"`
}

type recordedArg struct {
	Tag   uint8  `json:"tag,omitempty"`
	Bits  uint64 `json:"bits,omitempty"`
	Data  string `json:"data,omitempty"` // in base64
	Ref   int    `json:"ref,omitempty"`
	Other bool   `json:"other,omitempty"`
	From  int    `json:"from,omitempty"`
	Blob  bool   `json:"blob,omitempty"`
}

const recordedVersion = 1

func recordArg(a argument) recordedArg {
	out := recordedArg{Ref: a.ref, Other: a.other, Blob: a.blob, From: a.from}
	if a.ref == 0 {
		out.Tag, out.Bits = uint8(a.value.Tag()), a.value.Bits()
		switch a.value.Tag() {
		case tlv.TagString, tlv.TagBytes:
			out.Data = base64.StdEncoding.EncodeToString([]byte(a.value.Data()))
		}
	}
	return out
}

func (r *recordedArg) argument() (a argument, err error) {
	a = argument{ref: r.Ref, other: r.Other, blob: r.Blob, from: r.From}
	if r.Ref > 0 {
		return a, nil
	}
	data, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		return a, err
	}
	switch tag := tlv.Tag(r.Tag); tag {
	case tlv.TagString:
		a.value = tlv.String(string(data))
	case tlv.TagBytes:
		a.value = tlv.Bytes(data)
	case tlv.TagBool:
		a.value = tlv.Bool(r.Bits != 0)
	case tlv.TagInt32:
		a.value = tlv.Int32(int32(r.Bits))
	case tlv.TagInt64:
		a.value = tlv.Int64(int64(r.Bits))
	case tlv.TagFloat32:
		a.value = tlv.Float32(math.Float32frombits(uint32(r.Bits)))
	case tlv.TagFloat64:
		a.value = tlv.Float64(math.Float64frombits(r.Bits))
	case tlv.TagHandle:
		a.value = tlv.HandleValue(tlv.Handle{Type: uint32(r.Bits), Instance: uint32(r.Bits >> 32)})
	case tlv.TagVoid:
		a.value = tlv.Void()
	default:
		return a, fmt.Errorf("a value of type %v", tag)
	}
	return a, nil
}

// scriptOf is the script of a finding.
func scriptOf(f *Finding, ops sequence, in world, answers []observed) string {
	record := recorded{Version: recordedVersion, Code: f.Code, World: in.name, Shows: recordAnswer(f.Code, ops, in, answers)}
	var out strings.Builder
	fmt.Fprintf(&out, "# %s: %s: %s\n", f.Code, f.Place(), contract.Printable(f.Message))
	if in.name != ordinary.name {
		fmt.Fprintf(&out, "# It shows %s.\n", in.what)
	}
	fmt.Fprintln(&out, "# Once more: plugin-tester explore LIBRARY --replay THIS_FILE, which reads the last line alone.")
	for i := range ops {
		o := &ops[i]
		r := recordedOp{Box: o.m.box.name, Method: o.m.name, On: o.on}
		if o.made != nil {
			r.Makes = o.made.name
		}
		for _, a := range o.args {
			r.Args = append(r.Args, recordArg(a))
		}
		record.Ops = append(record.Ops, r)
		fmt.Fprintln(&out, contract.Printable(lineOf(ops, i, answers)))
	}
	text, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("encode a script: %v", err)) // it has no type that could fail
	}
	fmt.Fprintf(&out, "%s%s\n", replayMark, text)
	return out.String()
}

// scriptWords are those that Starlark has for itself: a method of such a name is called with getattr.
var scriptWords = []string{
	"and", "as", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in",
	"is", "lambda", "load", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
}

// lineOf is one call of a script, with what it answered.
func lineOf(ops sequence, i int, answers []observed) string {
	o := &ops[i]
	args := make([]string, len(o.args))
	for k, a := range o.args {
		args[k] = starlark(ops, a)
	}
	list := strings.Join(args, ", ")
	failed := i < len(answers) && answers[i].code != abi.OK
	method := o.m.name
	if o.on >= 0 {
		method = variable(ops, o.on) + "." + method
	}
	if slices.Contains(scriptWords, o.m.name) {
		method = fmt.Sprintf("getattr(%s, %q)", variable(ops, o.on), o.m.name)
	}
	var line string
	switch {
	case o.isBirth():
		line = fmt.Sprintf("%s = %s(%s)", variable(ops, i), o.m.box.name, list)
	case o.isFini():
		line = variable(ops, o.on) + ".fini()"
	case failed:
		line = fmt.Sprintf("print(catch(%s))", strings.TrimSuffix(method+", "+list, ", "))
	case o.made != nil:
		line = fmt.Sprintf("%s(%s)", method, list)
	default:
		line = fmt.Sprintf("print(%s(%s))", method, list)
	}
	if o.made != nil && !o.isBirth() {
		line = variable(ops, i) + " = " + line
	}
	if i < len(answers) && answers[i].made && !o.isBirth() && !o.isFini() {
		line += "  # " + strings.ReplaceAll(answers[i].String(), "\n", "\\n")
	}
	for _, a := range o.args {
		if a.other {
			line += fmt.Sprintf("  # %s was given with type id %d, which no box has, and no script can say", variable(ops, a.ref-1), ops[a.ref-1].made.typeID+otherType)
		}
	}
	return line
}

// variable is the name of the instance that an op makes: its box's, and a number.
func variable(ops sequence, i int) string {
	n := 0
	for k := range ops[:i+1] {
		if ops[k].made == ops[i].made {
			n++
		}
	}
	return fmt.Sprintf("%s%d", strings.ToLower(ops[i].made.name), n)
}

// starlark is an argument as a script writes it.
func starlark(ops sequence, a argument) string {
	switch {
	case a.ref > 0:
		return variable(ops, a.ref-1)
	case a.blob:
		return quoted("b", a.value.Data())
	}
	v := a.value
	switch v.Tag() {
	case tlv.TagString:
		return quoted("", v.Data())
	case tlv.TagBytes:
		return quoted("b", v.Data())
	case tlv.TagBool:
		if b, _ := v.Bool(); b {
			return "True"
		}
		return "False"
	case tlv.TagFloat32, tlv.TagFloat64:
		f, _ := v.Float()
		text := strconv.FormatFloat(f, 'g', -1, 64)
		if strings.ContainsAny(text, "IN") { // no literals
			return fmt.Sprintf("float(%q)", strings.ToLower(text))
		}
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case tlv.TagInt32, tlv.TagInt64:
		n, _ := v.Int()
		return strconv.FormatInt(n, 10)
	}
	return "None"
}

// quoted is text as a literal; a long pattern as what makes it.
func quoted(prefix, text string) string {
	const long = 200
	if len(text) > long && utf8.ValidString(text) {
		for n := 1; n <= 26; n++ { // as many as those of a pattern
			if text[n:] != text[:len(text)-n] {
				continue
			}
			if len(text)%n == 0 {
				return fmt.Sprintf("%s%q * %d", prefix, text[:n], len(text)/n)
			}
			return fmt.Sprintf("(%s%q * %d)[:%d]", prefix, text[:n], len(text)/n+1, len(text))
		}
	}
	var out strings.Builder
	out.WriteString(prefix + `"`)
	for _, r := range []byte(text) {
		switch {
		case r == '"' || r == '\\':
			out.WriteString(`\` + string(rune(r)))
		case r >= ' ' && r < 0x7f:
			out.WriteByte(r)
		default:
			if prefix == "" && r >= 0x80 {
				out.WriteByte(r) // part of a character
				continue
			}
			fmt.Fprintf(&out, `\x%02x`, r)
		}
	}
	return out.String() + `"`
}

// literal are arguments without instances and blobs.
func literal(args []argument) (list []tlv.Value, ok bool) {
	for _, a := range args {
		if a.ref > 0 || a.blob {
			return nil, false
		}
		list = append(list, a.value)
	}
	return list, true
}

// saveScript writes a finding's script into the folder of Config.Save.
func saveScript(dir string, f *Finding) (file string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := f.Code + "-" + strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, f.Place()) + ".star"
	file = filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(f.Sequence), 0o644)
}

// savedScript is what a script says.
type savedScript struct {
	ops   sequence
	in    world
	code  string
	shows *recordedAnswer // nil where the fault shows otherwise
}

// maxScript is the largest script that is read, in bytes.
const maxScript = 64 << 20

// readScript reads the sequence of a script.
func (p *plugin) readScript(file string) (out *savedScript, err error) {
	data, err := files.Read(file, maxScript)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	fail := func(format string, args ...any) (*savedScript, error) {
		return nil, fmt.Errorf("%w: %s: %s", ErrCannotRun, file, fmt.Sprintf(format, args...))
	}
	_, text, ok := strings.Cut(string(data), replayMark)
	if !ok {
		return fail("no line begins with %q: it is no script of plugin-tester", replayMark)
	}
	text, _, _ = strings.Cut(text, "\n")
	var r recorded
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fail("the line %q: %v", replayMark, err)
	}
	if r.Version != recordedVersion {
		return fail("version %d; this plugin-tester reads version %d", r.Version, recordedVersion)
	}
	if _, ok := RuleOf(r.Code); !ok && r.Shows != nil {
		return fail("there are no findings with the code %q", r.Code)
	}
	if r.Shows != nil && !slices.Contains(shownByAnswer, r.Code) {
		return fail("what a call answers shows no %s; a script that says what it answered is of %s", r.Code, strings.Join(shownByAnswer, ", "))
	}
	out = &savedScript{code: r.Code, shows: r.Shows, in: ordinary}
	i := slices.IndexFunc(worlds, func(w world) bool { return w.name == r.World })
	switch {
	case i >= 0:
		out.in = worlds[i]
	case r.World != ordinary.name && r.World != "":
		return fail("there is no world %q", r.World)
	}
	if len(r.Ops) == 0 {
		return fail("the line %q has no calls", replayMark)
	}
	const most = 100_000
	if len(r.Ops) > most {
		return fail("%d calls; at most %d are made", len(r.Ops), most)
	}
	for n := range r.Ops {
		o, err := p.readOp(&r.Ops[n], out.ops)
		if err != nil {
			return fail("call %d: %v", n+1, err)
		}
		out.ops = append(out.ops, o)
	}
	return out, nil
}

func (p *plugin) readOp(r *recordedOp, before sequence) (o op, err error) {
	b := p.box(r.Box)
	if b == nil {
		return o, fmt.Errorf("the library has no box %q; it has %s", r.Box, p.own.boxNames())
	}
	o.on = r.On
	switch r.Method {
	case abi.NameBirth:
		o.m = b.birth
	case abi.NameFini:
		o.m = b.fini
	default:
		if o.m = b.method(r.Method); o.m == nil {
			return o, fmt.Errorf("%s has no method %q", r.Box, r.Method)
		}
	}
	made := func(i int) bool { return i >= 0 && i < len(before) && before[i].made != nil }
	if o.isBirth() {
		o.on = -1
	}
	if o.isBirth() != (o.on < 0) || o.on >= 0 && !made(o.on) {
		return o, fmt.Errorf("it is on the instance of call %d, which makes none", o.on+1)
	}
	if r.Makes != "" {
		if o.made = p.box(r.Makes); o.made == nil {
			return o, fmt.Errorf("the library has no box %q", r.Makes)
		}
	}
	for _, arg := range r.Args {
		a, err := arg.argument()
		if err != nil {
			return o, err
		}
		if a.ref > 0 && !made(a.ref-1) {
			return o, fmt.Errorf("an argument is the instance of call %d, which makes none", a.ref)
		}
		if a.from < 0 || a.from > len(before) || a.from > 0 && !isText(a.value) {
			return o, fmt.Errorf("an argument is what call %d has answered, which is no text of a call before", a.from)
		}
		if a.ref == 0 && !a.blob {
			if _, err := tlv.Encode(a.value); err != nil {
				return o, err
			}
		}
		o.args = append(o.args, a)
	}
	return o, nil
}

// replayScript plays the sequence of Config.Replay, and reports what it shows.
func replayScript(e *env) error {
	r, err := e.plugin.readScript(e.config.Replay)
	if err != nil {
		return err
	}
	e.shared.learned = true // nothing else is called
	x := newExploration(e)
	base := e.play(r.ops, ordinary)
	x.faults(r.ops, base)
	if r.in.name != ordinary.name && base.exit == nil {
		x.compare(r.ops, base, e.play(r.ops, r.in), r.in)
	}
	if len(e.report.Findings) == 0 {
		x.answersAgain(r, base)
	}
	if r.code == codeGrowth && base.exit == nil {
		x.reportLeak(r.ops, time.Now().Add(2*beyond))
	}
	if len(e.report.Findings) == 0 {
		e.line("the calls of %s show nothing", e.config.Replay)
	}
	return nil
}

// answersAgain reports that the last call is answered as it was when the script was made, where that is
// the fault.
func (x *exploration) answersAgain(r *savedScript, base *played) {
	for range agreeing - 1 {
		if !r.shows.is(r.ops, base) {
			return
		}
		base = x.env.play(r.ops, ordinary)
	}
	if !r.shows.is(r.ops, base) {
		return
	}
	last := len(r.ops) - 1
	s := x.shown(r.ops, last)
	x.report(s.finding(r.code, "it answered %v, as it did when the script was made", &base.answers[last]), r.ops, ordinary, base.answers)
}
