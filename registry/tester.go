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
}

// TesterCalls are the calls of one method.
type TesterCalls struct {
	Method string
	Args   [][]any
	Pos    Position

	key *key
}

// TesterError says what is wrong with the calls of a method, which stand in the box's tester table.
func (b *Box) TesterError(calls *TesterCalls, err error) *Error {
	return b.doc.newError(calls.key.at, calls.key.path(), err.Error(), "")
}

var testerFields = []field[*Tester]{
	{name: "birth", read: func(d *document, t *Tester, k *key) {
		if d.want(k, unstable.Array, `["a", 1]`) {
			t.Birth = d.testerArgs(k, k.val.items)
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
			calls.Args = append(calls.Args, d.testerArgs(k, item.items))
		}
		t.Calls = append(t.Calls, calls)
	}
}

// testerArgs reads arguments: strings, numbers and true or false.
func (d *document) testerArgs(k *key, items []value) []any {
	all := make([]any, 0, len(items))
	for _, item := range items {
		text := strings.ReplaceAll(strings.TrimPrefix(item.text, "+"), "_", "")
		switch item.kind {
		case unstable.String:
			all = append(all, item.text)
			continue
		case unstable.Bool:
			all = append(all, item.text == "true")
			continue
		case unstable.Integer:
			if n, err := strconv.ParseInt(text, 0, 64); err == nil {
				all = append(all, n)
				continue
			}
		case unstable.Float:
			if f, err := strconv.ParseFloat(text, 64); err == nil {
				all = append(all, f)
				continue
			}
		}
		d.fail(item.at, k.path(), "an argument must be a string, a number, or true or false", `write birth = ["a", 1]`)
	}
	return all
}
