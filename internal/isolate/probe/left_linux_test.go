//go:build amd64 || arm64

package probe

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// libc calls a function of the C library.
func libc(t *testing.T, name string, args ...uintptr) uintptr {
	fn, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
	require.NoError(t, err)
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}

// swapped has a descriptor be of another file, and returns one of what it was.
func swapped(t *testing.T, fd int, file string) (was int) {
	was, err := unix.Dup(fd)
	require.NoError(t, err)
	other, err := unix.Open(file, unix.O_RDONLY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Dup3(other, fd, 0))
	require.NoError(t, unix.Close(other))
	return was
}

// TestSystem_Process changes the process in one way, and has it told.
func TestSystem_Process(t *testing.T) {
	s, err := newSystem()
	require.NoError(t, err)
	var stdin, child int
	tests := map[string]struct {
		do   func()
		undo func()
		want []Part
	}{
		"nothing":   {func() {}, func() {}, nil},
		"random":    {func() { libc(t, "rand") }, func() {}, []Part{Random}},
		"a timer":   {func() { libc(t, "alarm", 3600) }, func() { libc(t, "alarm", 0) }, []Part{Timers}},
		"the umask": {func() { unix.Umask(unix.Umask(0) ^ 0o100) }, func() { unix.Umask(unix.Umask(0) ^ 0o100) }, []Part{Umask}},
		"a descriptor": {
			func() { stdin = swapped(t, 0, "/dev/full") }, func() { require.NoError(t, unix.Dup3(stdin, 0, 0)); require.NoError(t, unix.Close(stdin)) },
			[]Part{Files, Standard},
		},
		"a child": {
			func() {
				var err error
				child, err = syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 0"}, nil)
				require.NoError(t, err)
			}, func() { _, err := unix.Wait4(child, nil, 0, nil); require.NoError(t, err) },
			[]Part{Children},
		},
		"a directory": {func() { require.NoError(t, unix.Chdir("/proc")) }, func() { require.NoError(t, unix.Chdir("/")) }, []Part{Directory}},
	}
	require.NoError(t, unix.Chdir("/"))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before, err := s.process()
			require.NoError(t, err)
			tt.do()
			defer tt.undo()
			after, err := s.process()
			require.NoError(t, err)
			var parts []Part
			for _, c := range after.changes(before) {
				assert.NotEmpty(t, c.Text)
				parts = append(parts, c.Part)
			}
			assert.Equal(t, tt.want, parts)
		})
	}
}

// TestSystem_RandomIsUndisturbed compares the numbers of rand with those after looks at its state.
func TestSystem_RandomIsUndisturbed(t *testing.T) {
	s, err := newSystem()
	require.NoError(t, err)
	numbers := func(look bool) (all []uintptr) {
		libc(t, "srand", 17)
		for range 100 {
			if look {
				require.NotEmpty(t, s.random())
			}
			all = append(all, libc(t, "rand"))
		}
		return all
	}
	assert.Equal(t, numbers(false), numbers(true))
}

func TestThreadState(t *testing.T) {
	s, err := newSystem()
	require.NoError(t, err)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := s.thread()
	assert.Empty(t, s.thread().changes(before))
	first, second := readControl()
	writeControl(first^roundingBit, second)
	after := s.thread()
	before.restore()
	changes := after.changes(before)
	require.Len(t, changes, 1)
	assert.Equal(t, FloatControl, changes[0].Part)
	assert.Contains(t, changes[0].Text, "it rounds ")
	assert.Empty(t, s.thread().changes(before))
}
