package registry

import (
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Tester is the tester table of a box: calls that plugin-tester makes beside those that it
// invents. A host reads it and does nothing with it.
type Tester struct {
	// Birth are the arguments of birth; nil where they are not said. Values are string,
	// int64, float64 or bool.
	Birth []any
	// Calls are argument lists by method, in the order of the file.
	Calls []TesterCalls

	birth *TesterCalls // where Birth stands; nil where it is not said
}

// TesterCalls are the calls of one method.
type TesterCalls struct {
	Method string
	Args   [][]any
	Pos    Position

	key *key
	at  [][]int // where each argument stands
}

// TesterError says what is wrong with the calls of a method, which stand in the box's tester table.
func (b *Box) TesterError(calls *TesterCalls, err error) *Error {
	return b.doc.newError(calls.key.at, calls.key.path(), err.Error(), "")
}

// TesterArgError says what is wrong with an argument, from 0, of one of the calls of a method.
func (b *Box) TesterArgError(calls *TesterCalls, call, arg int, err error) *Error {
	return b.doc.newError(calls.at[call][arg], calls.key.path(), err.Error(), "")
}

// TesterBirthError says what is wrong with an argument, from 0, of the birth in the box's tester table.
func (b *Box) TesterBirthError(arg int, err error) *Error {
	return b.TesterArgError(b.Tester.birth, 0, arg, err)
}

var testerFields = []field[*Tester]{
	{name: "birth", read: func(d *document, t *Tester, k *key) {
		if d.want(k, unstable.Array, `["a", 1]`) {
			args, at := d.testerArgs(k, k.val.items)
			t.Birth, t.birth = args, &TesterCalls{key: k, at: [][]int{at}}
		}
	}},
	{name: "calls", read: readTesterCalls},
}

func readTester(d *document, b *Box, k *key) {
	if !d.want(k, unstable.InlineTable, `{ calls = { get = [["a"], ["b"]] } }`) {
		return
	}
	b.Tester = &Tester{}
	read(d, k.val.table, b.Tester, testerFields, nil)
}

// readTesterCalls reads a table of methods, each with a list of argument lists.
func readTesterCalls(d *document, t *Tester, k *key) {
	if !d.want(k, unstable.InlineTable, `{ get = [["a"], ["b"]] }`) {
		return
	}
	for _, k := range k.val.table.keys {
		if !d.want(k, unstable.Array, `[["a"], ["b"]]`) {
			continue
		}
		calls := TesterCalls{Method: k.name, Pos: d.position(k.at), key: k}
		for _, item := range k.val.items {
			if item.kind != unstable.Array {
				d.fail(item.at, k.path(), "its entries must be lists of arguments", "write "+k.name+` = [["a"], ["b"]]: two calls with one argument each`)
				continue
			}
			args, at := d.testerArgs(k, item.items)
			calls.Args, calls.at = append(calls.Args, args), append(calls.at, at)
		}
		t.Calls = append(t.Calls, calls)
	}
}

// testerArgs reads arguments, and where each stands: strings, numbers and true or false.
func (d *document) testerArgs(k *key, items []value) (all []any, at []int) {
	all = make([]any, 0, len(items))
	for _, item := range items {
		arg, ok := testerArg(&item)
		if !ok {
			d.fail(item.at, k.path(), "an argument must be a string, a number, or true or false", `write birth = ["a", 1]`)
			continue
		}
		all, at = append(all, arg), append(at, item.at)
	}
	return all, at
}

func testerArg(item *value) (arg any, ok bool) {
	text := strings.ReplaceAll(strings.TrimPrefix(item.text, "+"), "_", "")
	switch item.kind {
	case unstable.String:
		return item.text, true
	case unstable.Bool:
		return item.text == "true", true
	case unstable.Integer:
		n, err := strconv.ParseInt(text, 0, 64)
		return n, err == nil
	case unstable.Float:
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	}
	return nil, false
}
