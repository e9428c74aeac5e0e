package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tools/plugintest/valgrind"
)

func TestReadStacks(t *testing.T) {
	const handled = `Thread 3 (Thread 0x7f01 (LWP 12) "w"):
#0  0x00000000004a2b10 in ?? ()
#1  <signal handler called>
#2  0x00007f0000001000 in strlen () from /lib/x86_64-linux-gnu/libc.so.6
#3  0x00007f0000002000 in name (s=0x0) at plugin.c:12
#4  0x0000000000470000 in runtime.asmcgocall () at asm_amd64.s:1
#5  0x00007f0000002000 in never (s=0x0) at plugin.c:13
`
	const waits = `Thread 2 (Thread 0x7f02 (LWP 11) "w"):
#0  0x00007f0000001010 in futex_wait (x=1) at ../sysdeps/nptl/futex-internal.h:146
#1  0x00007f0000002100 in worker (arg=0x0) at plugin.c:40
#2  0x00007f0000001020 in start_thread (arg=0x0) at ./nptl/pthread_create.c:442
#3  0x00007f0000001030 in clone3 () at ../sysdeps/unix/sysv/linux/x86_64/clone3.S:81
`
	const idle = `Thread 1 (Thread 0x7f03 (LWP 10) "w"):
#0  0x0000000000470100 in ?? ()
#1  0x0000000000470200 in ?? ()
`
	tests := map[string]struct {
		text string
		want []stack
	}{
		"nothing": {"gdb: ptrace: Operation not permitted.\n", nil},
		"idle":    {idle, nil},
		"a crash": {waits + idle + handled, []stack{
			{frames: []string{"strlen () from /lib/x86_64-linux-gnu/libc.so.6", "name (s=0x0) at plugin.c:12"}, at: sourcePlace{function: "name", file: "plugin.c", line: 12}, crashed: true},
			{frames: []string{"futex_wait (x=1) at ../sysdeps/nptl/futex-internal.h:146", "worker (arg=0x0) at plugin.c:40"}, at: sourcePlace{function: "worker", file: "plugin.c", line: 40}},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			have := readStacks(tt.text, moduleInTest)
			assert.Equal(t, tt.want, have)
			var f Finding
			f.setStacks(have)
			if len(tt.want) > 0 {
				assert.Equal(t, "name", f.Function, "the first frame of the plugin's own")
				assert.Equal(t, 12, f.Line)
				assert.Contains(t, f.Backtrace, "another thread:")
			}
		})
	}
}

// moduleInTest is whose code the frames of these tests are in.
func moduleInTest(frame string) module {
	switch m := frameAddress.FindStringSubmatch(frame); {
	case m == nil:
		return moduleUnknown
	case m[1] < "0000000001000000":
		return moduleWorker
	case m[1] < "00007f0000010000":
		return modulePlugin
	}
	return moduleOther
}

// TestPlaceOfStack: the place is in the plugin's own library, and in none of its other sources.
func TestPlaceOfStack(t *testing.T) {
	for name, tt := range map[string]struct {
		text, want string
	}{
		"in the C library, with its source": {`
#0  0x00007f9900000010 in __strlen_evex () at ./string/../sysdeps/x86_64/multiarch/strlen-evex.S:79
#1  0x00007f9900000020 in __vfprintf_internal (s=0x1, format=0x2 "%s") at ./stdio-common/./stdio-common/vfprintf-process-arg.c:397
#2  0x00007f0000001000 in nyash_error (c=0x1, code=-5) at /src/box/sdk/nyash.h:1114
#3  0x00007f0000002000 in grams (c=0x1) at /src/box/recipe_box.c:80
`, "grams /src/box/recipe_box.c:80"},
		"in another library": {`
#0  0x00007f9900000010 in inflate (z=0x1) at /build/zlib/inflate.c:12
#1  0x00007f0000002000 in put (c=0x1) at /src/box/zip.c:7
`, "put /src/box/zip.c:7"},
		"in Rust's std, which is in the plugin's library": {`
#0  0x00007f9900000010 in syscall () at ../sysdeps/unix/sysv/linux/x86_64/syscall.S:38
#1  0x00007f0000001000 in std::sys::pal::unix::futex::futex_wait () at /rustc/59807616e1fa/library/std/src/sys/pal/unix/futex.rs:73
#2  0x00007f0000001010 in std::sync::poison::mutex::Mutex::lock<alloc::Map<i64, (), alloc::Global>> () at library/std/src/sync/poison/mutex.rs:492
#3  0x00007f0000001020 in hashbrown::map::insert () at /src/.cargo/registry/src/index.crates.io-6f17d22bba15001f/hashbrown-0.14.5/src/map.rs:1
#4  0x00007f0000001030 in nyash::abi::run () at /src/log/sdk/src/abi.rs:286
#5  0x00007f0000001040 in log::_::add<core::result::Result<(), nyash::Error>> () at /src/log/src/lib.rs:22
`, "log::_::add<core::result::Result<(), nyash::Error>> /src/log/src/lib.rs:22"},
		"in the SDK alone": {`
#0  0x00007f0000001000 in nyash_error (c=0x1, code=-5) at /src/box/sdk/nyash.h:1114
#1  0x00007f0000002000 in nyash_run (c=0x1) at /src/box/sdk/nyash.h:672
`, "nyash_error /src/box/sdk/nyash.h:1114"},
		"no source": {`
#0  0x00007f9900000010 in inflate (z=0x1) at /build/zlib/inflate.c:12
#1  0x00007f0000002000 in put () from /src/box/libzip.so
`, " :0"},
	} {
		t.Run(name, func(t *testing.T) {
			var f Finding
			f.setStacks(readStacks(tt.text, moduleInTest))
			assert.Equal(t, tt.want, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
		})
	}
}

// TestValgrindPlace: what valgrind reports is placed as a crash is.
func TestValgrindPlace(t *testing.T) {
	f := valgrindFinding(&valgrind.Error{Kind: "InvalidRead", Frames: []valgrind.Frame{
		{Function: "core::ptr::read", File: "/rustc/59807616e1fa/library/core/src/ptr/mod.rs", Line: 1},
		{Function: "nyash_run", File: "/src/sdk/nyash.h", Line: 2},
		{Function: "put", File: "/src/kv.c", Line: 3},
	}})
	assert.Equal(t, "put /src/kv.c:3", fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
}

// TestShownPath: one file has one path in a report.
func TestShownPath(t *testing.T) {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for name, tt := range map[string]struct{ file, want string }{
		"below":      {filepath.Join(dir, "sdk", "nyash.h"), filepath.Join("sdk", "nyash.h")},
		"beside":     {filepath.Join(filepath.Dir(dir), "kv.c"), filepath.Join(filepath.Dir(dir), "kv.c")},
		"relative":   {"kv.c", "kv.c"},
		"none":       {"", ""},
		"like below": {dir + "2" + string(filepath.Separator) + "kv.c", dir + "2" + string(filepath.Separator) + "kv.c"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, shownPath(tt.file)) })
	}
	assert.Equal(t, "put (c=0x1) at kv.c:12", shownFrame("put (c=0x1) at "+filepath.Join(dir, "kv.c")+":12"))
}

// TestPlaceOf finds a function of this program, in which there may be no debug information.
func TestPlaceOf(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	pc := uint64(reflect.ValueOf(TestPlaceOf).Pointer())
	p, ok := placeOf(string(maps), pc)
	require.True(t, ok)
	self, err := os.Executable()
	require.NoError(t, err)
	assert.Equal(t, self, p.module)
	assert.NotZero(t, p.offset)
	_, ok = placeOf(string(maps), 1)
	assert.False(t, ok)
}

func TestGoRuntime(t *testing.T) {
	var none *goRuntime
	assert.Equal(t, []string{"crosscall2"}, none.symbols([]string{"crosscall2"}))
	assert.False(t, none.brings(&Finding{Code: codeThread}))
	assert.Empty(t, none.note())
	g, err := goRuntimeOfThis()
	require.NoError(t, err)
	assert.Equal(t, []string{"mine"}, g.symbols([]string{"_cgo_1_Cfunc_free", "crosscall2", "mine", "x_cgo_init"}))
	assert.Equal(t, []string{"SIGUSR1"}, g.handled([]string{"SIGSEGV", "SIGUSR1", "SIGURG"}))
	tests := map[string]struct {
		f    Finding
		want bool
	}{
		"threads":                 {Finding{Code: codeThread}, true},
		"moved stacks":            {Finding{Code: codeUninitialised, Function: "runtime.adjustframe"}, true},
		"uninitialised":           {Finding{Code: codeUninitialised, Function: "main.(*Box).Get"}, false},
		"a crash":                 {Finding{Code: codeCrash, Function: "runtime.memmove"}, false},
		"a read for the plugin":   {Finding{Code: codeInvalidRead, Backtrace: []string{"runtime.memmove at a", "main.copy at b"}}, false},
		"a leak of the runtime's": {Finding{Code: codeLeak, Backtrace: []string{"_cgo_sys_thread_start at a", "x_cgo_thread_start at b"}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, g.brings(&tt.f)) })
	}
	note := g.note()
	for _, code := range []string{codeThread, codeUninitialised, codeLeak, codeExtraSymbol, codeSignalHandler} {
		assert.Contains(t, note, code)
	}
	assert.Empty(t, g.note(), "told once")
}

// goRuntimeOfThis is that of this program, which Go has built.
func goRuntimeOfThis() (*goRuntime, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	g := goRuntimeOf(self)
	if g == nil {
		return nil, fmt.Errorf("%s has no build information", self)
	}
	return g, nil
}

// TestPlaceIn: the place is the author's, where the stack has one.
func TestPlaceIn(t *testing.T) {
	for name, tt := range map[string]struct {
		frames []string
		want   string
	}{
		"the author's": {[]string{"put (c=0x1) at kv.c:12", "nyash_plugin_invoke () at sdk/nyash.h:90"}, "put kv.c:12"},
		"an SDK's":     {[]string{"__lll_lock_wait () from /lib/libc.so.6", "nyash_lock (m=0x1) at sdk/nyash.h:672", "put (c=0x1) at kv.c:138", "main () at a.c:1"}, "put kv.c:138"},
		"none of both": {[]string{"nyash_lock (m=0x1) at sdk/nyash.h:672", "nyash_plugin_invoke () at sdk/nyash.h:90"}, "nyash_lock sdk/nyash.h:672"},
		"nothing":      {[]string{"?? ()"}, " :0"},
	} {
		t.Run(name, func(t *testing.T) {
			at := placeIn(tt.frames)
			assert.Equal(t, tt.want, fmt.Sprintf("%s %s:%d", at.function, at.file, at.line))
		})
	}
}
