package sdk

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestHeaders_Alone compiles each header by itself, with clang too where it is there.
func TestHeaders_Alone(t *testing.T) {
	headers := []struct{ file, source, clang, std string }{
		{"nyash.h", "alone.c", "clang", "c99"},
		{"nyash.h", "alone.c", "clang", "c17"},
		{"nyash.h", "alone.cpp", "clang++", "c++17"},
		{"nyash.hpp", "alone.cpp", "clang++", "c++17"},
		{"nyash.hpp", "alone.cpp", "clang++", "c++20"},
		{"nyash_use.h", "alone.c", "clang", "c99"},
		{"nyash_use.h", "alone.cpp", "clang++", "c++17"},
		{"nyash_use.hpp", "alone.cpp", "clang++", "c++17"},
		{"nyash_use.hpp", "alone.cpp", "clang++", "c++20"},
	}
	for _, h := range headers {
		t.Run(h.file+" as "+h.std, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), h.source)
			require.NoError(t, os.WriteFile(source, []byte("#include \""+h.file+"\"\n"), 0o600))
			ccbuild.Program(t, source, "-std="+h.std, pedantic, "-Wshadow", "-fsyntax-only")
			if _, err := exec.LookPath(h.clang); err != nil {
				return
			}
			ccbuild.Run(t, h.clang, "-std="+h.std, "-Wall", "-Wextra", "-Werror", pedantic, "-fsyntax-only", source,
				"-I", filepath.Join(ccbuild.Root(t), "abi/include"), "-I", filepath.Join(ccbuild.Root(t), "plugins/sdk/c"),
				"-I", filepath.Join(ccbuild.Root(t), "plugins/sdk/cpp"))
		})
	}
}

// TestFlags: a flag of a method is none of a box, and the other way round.
func TestFlags(t *testing.T) {
	const plugin = `#include "nyash.h"
static int32_t get(NyashContext *c) { return nyash_return_i64(c, 1); }
static const NyashMethod methods[] = {{.id = 1, .name = "get", .call = get, .result = NYASH_I64, .flags = METHOD}};
static const NyashBox box = {.name = "Box", .type_id = 7, .flags = BOX, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`
	for _, tt := range []struct{ method, box, want string }{
		{"NYASH_LEAF", "NYASH_CONCURRENT", ""},
		{"NYASH_CONCURRENT", "0", "Box: method 0 of the table (get) has flags that are no flags of a method"},
		{"0", "NYASH_LEAF", "Box: its flags (0x2) are no flags of a box; NYASH_LEAF, say, is a method's"},
	} {
		t.Run(tt.method+" "+tt.box, func(t *testing.T) {
			log := hosttest.NewLog()
			lib := ccbuild.Source(t, "flags", plugin, "-DMETHOD="+tt.method, "-DBOX="+tt.box)
			h := hosttest.Open(t, fmt.Sprintf("[plugins]\nBox = %q\n", lib), log.Option())
			err := h.Load(t.Context(), "Box")
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Contains(t, strings.Join(log.Messages(), "\n"), tt.want)
		})
	}
	const cpp = `#include "nyash.hpp"
struct Box { int64_t get() { return 1; } int64_t add(int64_t n) { return n; } };
static constexpr NyashMethod methods[] = {nyash::constructor<Box>(), METHOD};
static constexpr NyashBox box = nyash::box<Box>("Box", 7, methods, "A box." FLAGS);
NYASH_PLUGIN(&box)
`
	for _, tt := range []struct {
		method, flags string
		compiles      bool
	}{
		{`nyash::method<&Box::get>(1, "get", "Gets.", 0, NYASH_LEAF)`, ", NYASH_CONCURRENT", true},
		{`nyash::method<&Box::add>(1, "add", {"n"}, "Adds.", NYASH_LEAF), nyash::method<&Box::get>(2, "get", "Gets.", NYASH_LEAF)`, ", NYASH_LEAF", false},
	} {
		t.Run(tt.method+tt.flags, func(t *testing.T) {
			source := filepath.Join(t.TempDir(), "flags.cpp")
			require.NoError(t, os.WriteFile(source, []byte(cpp), 0o600))
			root := ccbuild.Root(t)
			cmd := exec.Command("c++", "-std=c++17", "-fsyntax-only", "-I", filepath.Join(root, "abi/include"), "-I", filepath.Join(root, "plugins/sdk/c"),
				"-I", filepath.Join(root, "plugins/sdk/cpp"), "-DMETHOD="+tt.method, "-DFLAGS="+tt.flags, source)
			out, err := cmd.CombinedOutput()
			if tt.compiles {
				assert.NoError(t, err, "%s", out)
				return
			}
			assert.Error(t, err)
			assert.GreaterOrEqual(t, strings.Count(string(out), "error: use of deleted function"), 3, "%s", out)
		})
	}
}

func TestC_Types(t *testing.T) {
	h := hosttest.Open(t, declare(t, library(t, "all.c")), loader.WithMemoryTracking())
	box, other := hosttest.New(t, h, "All", 1), hosttest.New(t, h, "All", 7)
	assert.Equal(t, "grüße", value(t, box, "text", "grüße"))
	assert.Equal(t, []byte{0, 255}, value(t, box, "bytes", []byte{0, 255}))
	large := strings.Repeat("large ", 100_000)
	assert.Equal(t, large, string(blobOf(t, box, "blob", []byte(large)).Bytes()))
	assert.InDelta(t, 15.5, value(t, box, "numbers", true, 2, 3, 1.5, 8.0), 0)
	assert.Equal(t, int64(4), value(t, box, "calls"))
	value(t, box, "move", other)
	value(t, box, "move", box)
	assert.Equal(t, int64(6), value(t, other, "calls"))
	clone := boxOf(t, box, "clone")
	assert.Equal(t, int64(5), value(t, clone, "calls"))
	require.NoError(t, clone.Close())
	_, err := box.Call(ctx, "move", hosttest.New(t, h, "TimeBox"))
	assert.ErrorContains(t, err, "wanted an instance of All (type 20), got a box of type 2147483648; type 2147483648 is TimeBox")
	_, err = box.Call(ctx, "notUTF8")
	assert.ErrorIs(t, err, abi.ErrInvalidUTF8)
	_, err = h.New(ctx, "All", -1)
	assert.ErrorContains(t, err, "not below zero")
	assert.Equal(t, "pong", value(t, hosttest.New(t, h, "Other Box"), "ping"))
}

func TestCPlusPlus_Types(t *testing.T) {
	h := hosttest.Open(t, declare(t, library(t, "all.cpp")), loader.WithMemoryTracking())
	box, second := hosttest.New(t, h, "All", 1, 0.5), hosttest.New(t, h, "All", 7)
	for _, c := range []struct {
		method string
		arg    any
		want   any
	}{
		{"negate", true, false},
		{"small", -5, int32(-5)},
		{"large", int64(math.MinInt64), int64(math.MinInt64)},
		{"single", 0.5, float32(0.5)},
		{"scaled", 3.0, 1.5},
		{"text", "é", "éé"},
		{"view", strings.Repeat("x", 65535), strings.Repeat("x", 65535)},
		{"reversed", []byte{1, 2, 3}, []byte{3, 2, 1}},
		{"bytes", []byte{0, 1}, []byte{0, 1}},
	} {
		assert.Equal(t, c.want, value(t, box, c.method, c.arg), c.method)
	}
	assert.Len(t, blobOf(t, box, "blob", make([]byte, 200_000)).Bytes(), 200_000)

	other := boxOf(t, box, "made", "one ")
	assert.Equal(t, "Other", other.Name())
	assert.Equal(t, "one two", value(t, box, "joined", other, hosttest.New(t, h, "Other", "two")))
	require.NoError(t, other.Close())
	copied := boxOf(t, second, "copy")
	value(t, box, "take", copied)
	assert.Equal(t, int64(7), value(t, box, "calls"))
	assert.Equal(t, int64(1), value(t, copied, "calls"))
	require.NoError(t, copied.Close())
	assert.Equal(t, int64(105), value(t, box, "sum", int64(5)))
	assert.Equal(t, int64(11), value(t, box, "sum", int64(5), int64(6)))
	assert.Equal(t, int64(42), value(t, box, "answer"))

	for how, want := range map[string]string{
		"code":   "a code of its own",
		"memory": "out of memory",
		"number": "an exception that is no std::exception",
		"so":     "failed: so",
	} {
		_, err := box.Call(ctx, "fail", how)
		assert.ErrorContains(t, err, want)
		assert.Equal(t, how == "memory", errors.Is(err, abi.ErrOutOfMemory), "%v", err)
	}
	_, err := box.Call(ctx, "text", strings.Repeat("x", 51))
	assert.ErrorContains(t, err, "the result of text has 102 bytes, at most 100 can be returned")
	_, err = h.New(ctx, "All", -1)
	assert.ErrorContains(t, err, "not below zero")
}

// TestBoxNames_Wrong has a table name a box that the library does not have: init says
// where, and no other box is taken for it.
func TestBoxNames_Wrong(t *testing.T) {
	const (
		ofMethod = "Door: method %d of the table (%s) "
		unknown  = ", which this library does not have\ninit: -5\n"
		ownDoor  = "birth: -8 there is no Door with instance id 1\n"
		noKeys   = "birth: -5 a mistake in the plugin: argument 1 (key) is of box \"Keys\", which this library does not have\n"
		otherBox = "birth: -4 argument 1 (key): wanted an instance of Key (type 1), got a box of type 2\n"
	)
	for _, c := range []struct {
		name, source string
		defines      []string
		want         string
	}{
		{"C, right", "typo.c", []string{`BIRTH="Key"`, `OPEN="Door"`, `LEND="Key"`}, "init: 0\n" + otherBox},
		{"C, own box", "typo.c", []string{`BIRTH=NULL`, `OPEN=NULL`, `LEND=NULL`}, "init: 0\n" + ownDoor},
		{"C, argument", "typo.c", []string{`BIRTH="Keys"`, `OPEN=NULL`, `LEND=NULL`},
			fmt.Sprintf(ofMethod, 0, "birth") + `has argument 1 (key) of box "Keys"` + unknown + noKeys},
		{"C, optional argument", "typo.c", []string{`BIRTH=NULL`, `OPEN="key"`, `LEND=NULL`},
			fmt.Sprintf(ofMethod, 1, "open") + `has argument 2 (key) of box "key"` + unknown + ownDoor},
		{"C, result", "typo.c", []string{`BIRTH=NULL`, `OPEN=NULL`, `LEND=""`},
			fmt.Sprintf(ofMethod, 2, "lend") + `has a result of box ""` + unknown + ownDoor},
		{"C++, right", "typo.cpp", []string{`NAME="Key"`, "TAKES"}, "init: 0\n" + otherBox},
		{"C++, argument", "typo.cpp", []string{`NAME="Keys"`, "TAKES"},
			fmt.Sprintf(ofMethod, 0, "birth") + `has argument 1 (key) of box "Keys"` + unknown + noKeys},
		{"C++, result", "typo.cpp", []string{`NAME="Keys"`},
			fmt.Sprintf(ofMethod, 1, "lend") + `has a result of box "Keys"` + unknown + ownDoor},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := []string{pedantic}
			for _, define := range c.defines {
				flags = append(flags, "-D"+define)
			}
			assert.Equal(t, c.want, ccbuild.Run(t, ccbuild.Program(t, filepath.Join("testdata", c.source), flags...)))
		})
	}
}

// leakCheck are valgrind and its flags for a program that is to lose nothing.
func leakCheck(kinds string) []string {
	return []string{"-q", "--leak-check=full", "--show-leak-kinds=" + kinds, "--errors-for-leak-kinds=" + kinds, "--error-exitcode=9"}
}

// TestC_DirectCalls runs testdata/all_test.c, which calls a plugin as no careful host
// would: short buffers, arguments of all kinds, fini during calls on many threads.
func TestC_DirectCalls(t *testing.T) {
	rounds := 1
	if whole {
		rounds = 10
	}
	plain := ccbuild.Program(t, "testdata/all_test.c", "-std=gnu11", pedantic)
	ccbuild.Run(t, plain, fmt.Sprint(2000*rounds))
	ccbuild.Run(t, "valgrind", append(leakCheck("all"), plain, fmt.Sprint(30*rounds))...)
}

// TestC_DirectCallsSanitized does so with the compiler's sanitizers.
func TestC_DirectCallsSanitized(t *testing.T) {
	if !whole {
		return
	}
	for _, sanitizer := range []string{"thread", "address,undefined"} {
		t.Run(sanitizer, func(t *testing.T) {
			ccbuild.Run(t, ccbuild.Program(t, "testdata/all_test.c", "-std=gnu11", "-fsanitize="+sanitizer, "-fno-sanitize-recover=all"), "2000")
		})
	}
}

// TestC_UnloadWithoutInit: the self-description is freed with the library.
func TestC_UnloadWithoutInit(t *testing.T) {
	program := ccbuild.Program(t, "testdata/config.c", "-std=gnu11", "-ldl")
	ccbuild.Run(t, "valgrind", append(leakCheck("definite"), program, library(t, "all.c"))...)
}
