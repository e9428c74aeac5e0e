//go:build (amd64 || arm64) && (darwin || freebsd || linux)

// Package leaf_test tries leaf methods (docs/abi.md, Leaf methods) with plugins that keep the
// promise, and with some that do not.
package leaf_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
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
	"resolve": 10, "ask": 11, "stack": 12, "spin": 13, "answer": 14, "stackAt": 15, "overlap": 16, "frame": 18,
	"writeNull": 100, "overflow": 101, "largeFrame": 102, "abort": 103, "divide": 104, "illegal": 105, "trap": 106, "raise": 107,
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
	switch method {
	case "restored":
		restored(library)
	case "together":
		together(library)
	case "longLabel":
		name := strings.Repeat("L", 900)
		_, _ = newBox(strings.Replace(declare(name, library, ""), "type_id", "box = \"Leaf\"\ntype_id", 1), name).Call(ctx, "writeNull", 0, 0)
	}
	box := newBox(declare("Leaf", library, ""), "Leaf")
	r, err := box.Call(ctx, method, n, 0)
	fmt.Println("it returned", r, err)
	os.Exit(0)
}

// newBox makes a box in a process that ends anyhow.
func newBox(text, name string) *loader.Box {
	h, err := openText(text)
	if err != nil {
		panic(err)
	}
	box, err := h.New(ctx, name)
	if err != nil {
		panic(err)
	}
	return box
}

// together crashes in some threads at once.
func together(library string) {
	box := newBox(declare("Leaf", library, ""), "Leaf")
	begin := make(chan struct{})
	for range 8 {
		go func() {
			runtime.LockOSThread()
			<-begin
			_, _ = box.Call(ctx, "writeNull", 0, 0)
		}()
	}
	close(begin)
	select {}
}

// otherVariable names a library that restores a signal handler.
const otherVariable = "NYASH_TEST_LEAF_OTHER"

// restored makes a first leaf call while a library has a handler of its own, which puts the one
// before it back; then calls that need the handler of leaf methods.
func restored(library string) {
	h, err := openText(declare("Leaf", os.Getenv(otherVariable), ""))
	if err != nil {
		panic(err)
	}
	box, err := h.New(ctx, "Leaf")
	if err != nil {
		panic(err)
	}
	if _, err := box.Call(ctx, "add", 1, 2); err != nil {
		panic(err)
	}
	box = newBox(declare("Leaf", library, ""), "Leaf")
	if _, err := box.Call(ctx, "add", 1, 2); err != nil {
		panic(err)
	}
	if err := h.Close(); err != nil {
		panic(err)
	}
	if _, err := box.Call(ctx, "sayWild", 0, 0); err != nil {
		panic(err)
	}
	_, _ = box.Call(ctx, "writeNull", 0, 0)
}

// child is this program, to crash.
func child(library, method string, n int64) *exec.Cmd {
	cmd := ccbuild.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", childVariable, library, method, n))
	return cmd
}
