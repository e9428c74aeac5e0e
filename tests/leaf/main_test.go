// Package leaf_test tries leaf methods (docs/abi.md, Leaf methods) with plugins that keep the
// promise, and with some that do not.
package leaf_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/loader/worker"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// childVariable has the program of tests crash in a leaf method: "library method argument".
const childVariable = "NYASH_TEST_LEAF"

func TestMain(m *testing.M) {
	worker.Main() // the tests are their own worker
	if crash := os.Getenv(childVariable); crash != "" {
		crashIn(crash)
	}
	if round := os.Getenv(tormentVariable); round != "" {
		torment(round)
	}
	os.Exit(m.Run())
}

// ids are the methods of testdata/leaf.c; each takes the integers a and b, but for echo.
var ids = map[string]int{
	"add": 1, "echo": 2, "say": 3, "sayLong": 4, "sayNothing": 5, "sayWild": 6, "wake": 7, "many": 8, "alloc": 9,
	"resolve": 10, "ask": 11, "stack": 12, "spin": 13, "answer": 14, "stackAt": 15, "overlap": 16,
	"writeNull": 100, "overflow": 101, "largeFrame": 102, "abort": 103, "divide": 104, "illegal": 105, "raise": 107,
	"jump": 108, "wildResult": 109,
}

// declare is a nyash.toml for a library of testdata/leaf.c, with further keys of the box.
func declare(box, library, keys string) string {
	text := fmt.Sprintf("[plugins.%s]\nlibrary = %q\ntype_id = 7\n%s\n[plugins.%s.methods]\n", box, library, keys, box)
	for name, id := range ids {
		args, returns := `{ name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" }`, "i64"
		if name == "echo" {
			args, returns = `{ name = "data", from = "bytes", to = "bytes" }`, "bytes"
		}
		text += fmt.Sprintf("%s = { method_id = %d, leaf = true, returns = %q, args = [ %s ] }\n", name, id, returns, args)
	}
	return text
}

// open makes a box of a library of the test's own.
func open(t testing.TB, keys string, opts ...loader.Option) *loader.Box {
	t.Helper()
	return hosttest.New(t, hosttest.Open(t, declare("Leaf", library(t), keys), opts...), "Leaf")
}

func library(t testing.TB, flags ...string) string {
	return ccbuild.Library(t, "testdata/leaf.c", append(flags, "-Wno-infinite-recursion", "-O1")...)
}

// onLeafStack reports whether an address in a method's frame is on a stack of its own: Go's
// goroutines and its C stacks are elsewhere, but only a comparison with an ordinary call tells.
func onLeafStack(t testing.TB, box *loader.Box) bool {
	t.Helper()
	at := uintptr(hosttest.CallInt(t, box, "stackAt", 0, 0))
	low, size := native.LeafRegion()
	return at >= low && at < low+size
}

// crashIn runs a method that crashes.
func crashIn(crash string) {
	var library, method string
	var n int64
	if _, err := fmt.Sscan(crash, &library, &method, &n); err != nil {
		panic(err)
	}
	h, err := openText(declare("Leaf", library, ""))
	if err != nil {
		panic(err)
	}
	box, err := h.New(ctx, "Leaf")
	if err != nil {
		panic(err)
	}
	r, err := box.Call(ctx, method, n, 0)
	fmt.Println("it returned", r, err)
	os.Exit(0)
}

// child is this program, to crash.
func child(library, method string, n int64) *exec.Cmd {
	cmd := ccbuild.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", childVariable, library, method, n))
	return cmd
}
