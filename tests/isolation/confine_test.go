//go:build linux

package isolation

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// The methods of testdata/confined.c.
const (
	mNothing = iota + 1
	mSyscall // with a number and its arguments; answers the result, or minus errno
	mBuffer
	mSleep
	mFlood
	mTake
	mMalloc
	mTouchShared
	mTouchStacks
	mBurn
	mBurnThread
	mChildAborts
	mHasEnv
	mRunEnv
	mOrphan
	mChild
)

// confined is a worker with that plugin.
type confined struct {
	*isolate.Session
	t testing.TB
	p *isolate.Plugin
}

// overMemory is for what only shared memory has, whichever way the tests are run.
func overMemory(config *isolate.Config) { config.Channel = isolate.ChannelMemory }

func confine(t testing.TB, limits isolate.Limits, change ...func(*isolate.Config)) *confined {
	t.Helper()
	config := isolate.Config{
		File: ccbuild.Library(t, "testdata/confined.c"), Sink: silence{}, Channel: channelOfTests(), Worker: ccbuild.Worker(t),
		Restart: isolate.Restart{Max: 1}, Limits: limits, InUse: func() bool { return true },
	}
	for _, f := range change {
		f(&config)
	}
	p, err := isolate.Open(ctx, config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	s, err := p.Session(ctx)
	require.NoError(t, err)
	return &confined{s, t, p}
}

func (c *confined) try(method uint32, args ...int64) (int64, error) {
	call := new(abi.Call)
	call.TypeID, call.Method, call.Instance = 721, method, 1
	message := []byte{1, 0, byte(len(args)), 0}
	for _, a := range args {
		message = binary.LittleEndian.AppendUint64(append(message, 3, 0, 8, 0), uint64(a))
	}
	room := make([]byte, 64)
	call.SetArgs(message)
	call.SetResultBuffer(room)
	if err := c.Invoke(ctx, call); err != nil {
		return 0, err
	}
	if call.Code != 0 {
		return 0, call.Code
	}
	return int64(binary.LittleEndian.Uint64(room[8:])), nil
}

func (c *confined) call(method uint32, args ...int64) int64 {
	c.t.Helper()
	n, err := c.try(method, args...)
	require.NoError(c.t, err)
	return n
}

// system makes a system call, and returns its result or minus the error.
func (c *confined) system(args ...int64) int64 {
	c.t.Helper()
	return c.call(mSyscall, args...)
}

func value[T any](v T) *T { return &v }

func mebibytes(n uint64) isolate.Limits { return isolate.Limits{Memory: value(n << 20)} }

const (
	eperm  = -int64(syscall.EPERM)
	enosys = -int64(syscall.ENOSYS)
)

// isLimit checks an error of a worker that was killed for a limit.
func isLimit(t testing.TB, err error, text string) {
	t.Helper()
	require.ErrorIs(t, err, transport.ErrCrashed)
	require.ErrorIs(t, err, isolate.ErrLimit)
	require.ErrorContains(t, err, text)
}

// TestLimits_MemoryWithoutWorkerThreads: what a worker needs for calls at once does not count.
func TestLimits_MemoryWithoutWorkerThreads(t *testing.T) {
	c := confine(t, mebibytes(256))
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			_, err := c.try(mSleep, 200)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

// TestAtOnce: a worker starts threads for the calls that are foreseen, and serves more.
func TestAtOnce(t *testing.T) {
	threads := func(c *confined) int {
		all, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.PID()))
		require.NoError(t, err)
		return len(all)
	}
	assert.Greater(t, threads(confine(t, mebibytes(64))), 64)
	c := confine(t, mebibytes(1024), func(c *isolate.Config) { c.AtOnce = 2 })
	assert.Less(t, threads(c), 64)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			_, err := c.try(mSleep, 200)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

// TestLimits_MemoryWithoutLogThread: what a worker needs for log lines of a plugin's thread does not count.
func TestLimits_MemoryWithoutLogThread(t *testing.T) {
	c := confine(t, mebibytes(64))
	assert.EqualValues(t, 30000, c.call(mFlood, 30000))
}

func TestLimits_Memory(t *testing.T) {
	t.Run("alloc", func(t *testing.T) {
		c := confine(t, mebibytes(64))
		n := c.call(mTake, 400)
		assert.LessOrEqual(t, n, int64(64))
		assert.Greater(t, n, int64(32))
	})
	t.Run("alloc and malloc add up", func(t *testing.T) {
		c := confine(t, mebibytes(64), overMemory) // through pipes, alloc is malloc
		assert.Greater(t, c.call(mTake, 400), int64(32))
		n := c.call(mMalloc, 400)
		assert.LessOrEqual(t, n, int64(64))
		assert.Greater(t, n, int64(32))
	})
	t.Run("uncounted memory", func(t *testing.T) {
		const size = 1 << 20
		private := int64(unix.MAP_PRIVATE | unix.MAP_ANONYMOUS)
		maps := func(c *confined, flags int64) int64 {
			return c.system(unix.SYS_MMAP, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags, -1, 0)
		}
		c := confine(t, mebibytes(64))
		assert.Positive(t, maps(c, private))
		assert.Equal(t, eperm, maps(c, unix.MAP_SHARED|unix.MAP_ANONYMOUS))
		assert.Equal(t, eperm, maps(c, unix.MAP_SHARED_VALIDATE|unix.MAP_ANONYMOUS))
		assert.Equal(t, eperm, maps(c, private|unix.MAP_GROWSDOWN))
		assert.Equal(t, eperm, c.system(unix.SYS_SHMGET, unix.IPC_PRIVATE, size, 0o600))
		assert.Equal(t, eperm, c.system(unix.SYS_MEMFD_CREATE, c.call(mBuffer), 0))
		free := confine(t, isolate.Limits{})
		assert.Positive(t, maps(free, unix.MAP_SHARED|unix.MAP_ANONYMOUS), "without the limit")
		assert.Positive(t, free.system(unix.SYS_MEMFD_CREATE, free.call(mBuffer), 0))
	})
	t.Run("shared memory", func(t *testing.T) {
		c := confine(t, mebibytes(64), overMemory)
		assert.EqualValues(t, 32, c.call(mTouchShared, 32, 300), "as much as alloc may hand out")
		_, err := c.try(mTouchShared, 128, 60_000)
		isLimit(t, err, "limits.memory: of the memory that it shares with its host, the process has ")
	})
	t.Run("stacks that were there before", func(t *testing.T) {
		c := confine(t, mebibytes(32))
		_, err := c.try(mTouchStacks, 60_000)
		isLimit(t, err, "limits.memory: ")
	})
	t.Run("what the host lends is its own", func(t *testing.T) {
		c := confine(t, mebibytes(64), overMemory)
		lent := make([]byte, 256<<20)
		addr, err := c.Lend(ctx, lent)
		require.NoError(t, err)
		c.call(mSleep, 500)
		c.TakeBack(addr, len(lent))
		c.call(mSleep, 300)
	})
}

// assertNoCgroups checks that this process may make no cgroup for memory, which is the
// only reason for a worker to have none.
func assertNoCgroups(t *testing.T) {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	require.NoError(t, err)
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		root := "/sys/fs/cgroup"
		if fields[1] != "" {
			root += "/" + fields[1]
		}
		dir := filepath.Join(root, fields[2], "nyash-test")
		if fields[1] != "memory" && fields[1] != "" {
			continue
		}
		if os.Mkdir(dir, 0o700) != nil {
			continue
		}
		_, err := os.Stat(filepath.Join(dir, "memory.max"))
		_, err1 := os.Stat(filepath.Join(dir, "memory.limit_in_bytes"))
		assert.NoError(t, os.Remove(dir))
		assert.True(t, err != nil && err1 != nil, "%s can be made, and the worker has none", dir)
	}
}

// TestLimits_Cgroup: where the host can make a cgroup, it bounds all memory and all that
// the worker has started.
func TestLimits_Cgroup(t *testing.T) {
	c := confine(t, mebibytes(64))
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.PID()))
	require.NoError(t, err)
	if !strings.Contains(string(own), "/nyash-") {
		assertNoCgroups(t)
		return
	}
	orphan := int(c.call(mOrphan))
	require.Positive(t, orphan)
	require.NoError(t, syscall.Kill(orphan, 0))
	require.NoError(t, c.p.Close())
	assert.True(t, gone(orphan), "though it has left the worker's group")

	// A file of a file system in memory counts for nobody else.
	c = confine(t, mebibytes(16))
	path := filepath.Join("/dev/shm", fmt.Sprintf("nyash-test-%d", os.Getpid()))
	file, err := os.Create(path)
	require.NoError(t, err)
	defer os.Remove(path)
	defer file.Close()
	var failed error
	shared := c.openFile(path)
	for mib := int64(0); mib < 512 && failed == nil; mib++ {
		_, failed = c.try(mSyscall, unix.SYS_FALLOCATE, shared, 0, mib<<20, 1<<20)
	}
	isLimit(t, failed, "limits.memory: the system ended it for its use of memory, 16.0 MiB are allowed")
}

// openFile opens a file in the worker.
func (c *confined) openFile(path string) int64 {
	c.t.Helper()
	c.write(append([]byte(path), 0))
	fd := c.system(unix.SYS_OPENAT, unix.AT_FDCWD, c.call(mBuffer), unix.O_RDWR)
	require.Positive(c.t, fd)
	return fd
}

// write writes to the plugin's buffer.
func (c *confined) write(data []byte) {
	c.t.Helper()
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", c.PID()), os.O_WRONLY, 0)
	require.NoError(c.t, err)
	defer memory.Close()
	_, err = memory.WriteAt(data, c.call(mBuffer))
	require.NoError(c.t, err)
}

func TestLimits_CPUTime(t *testing.T) {
	for _, threads := range []native.Threads{native.Pinned, native.Serial, native.Free}[:hosttest.Rounds(3)] {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			c := confine(t, isolate.Limits{CPUTime: value(300 * time.Millisecond)}, func(config *isolate.Config) { config.Threads = threads })
			for range 4 { // more than the limit in all
				c.call(mBurn, 150)
			}
			c.call(mSleep, 500)
			var wg sync.WaitGroup
			for range 4 { // that wait for each other
				wg.Go(func() {
					_, err := c.try(mBurn, 120)
					assert.NoError(t, err)
				})
			}
			wg.Wait()
			start := time.Now()
			_, err := c.try(mBurn, 60_000)
			isLimit(t, err, "its process was killed: limits.cpu_time: the call used ")
			require.ErrorContains(t, err, "of processor time, 300ms are allowed")
			assert.Less(t, time.Since(start), 20*time.Second)
		})
	}
}

func TestLimits_CPUTotal(t *testing.T) {
	c := confine(t, isolate.Limits{CPUTotal: value(500 * time.Millisecond)})
	c.call(mBurn, 100)
	c.call(mBurnThread, 60_000)
	_, err := c.try(mSleep, 60_000)
	isLimit(t, err, "its process was killed: limits.cpu_total: the process used ")
}

// TestLimits_CPUTotalWithoutSpinning: the worker looks for requests between calls that do
// nothing, and uses more than the plugin may.
func TestLimits_CPUTotalWithoutSpinning(t *testing.T) {
	const limit = 400 * time.Millisecond
	c := confine(t, isolate.Limits{CPUTotal: value(limit)}, overMemory) // through pipes, nobody spins
	for i := 0; i%1000 != 0 || c.p.Status().CPU < 2*limit; i++ {
		_, err := c.try(mNothing)
		require.NoError(t, err)
		// A caller that does something between its calls.
		for start := time.Now(); time.Since(start) < 10*time.Microsecond; {
			continue
		}
	}
}

func TestFilter_Signals(t *testing.T) {
	host, group := int64(os.Getpid()), int64(syscall.Getpgrp())
	sleeper := exec.Command("sleep", "1000")
	require.NoError(t, sleeper.Start())
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	neighbour := int64(sleeper.Process.Pid)
	limits := map[string]isolate.Limits{
		"processes = 0": {Processes: value(uint64(0))},
		"processes":     {},
	}
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			c := confine(t, limit)
			self, alone := int64(c.PID()), limit.Processes != nil
			others := map[string]int64{"host": host, "host's group": -group, "host as a group": -host, "all": -1}
			if alone {
				others["neighbour"], others["own group"], others["own group by number"] = neighbour, 0, -self
			}
			for who, target := range others {
				assert.Equal(t, eperm, c.system(unix.SYS_KILL, target, 0), who)
			}
			assert.Equal(t, eperm, c.system(unix.SYS_TGKILL, host, host, 0))
			assert.Equal(t, eperm, c.system(unix.SYS_TKILL, host, 0))
			assert.Equal(t, eperm, c.system(unix.SYS_RT_SIGQUEUEINFO, host, 0, c.call(mBuffer)))
			assert.Equal(t, eperm, c.system(unix.SYS_RT_TGSIGQUEUEINFO, host, host, 0, c.call(mBuffer)))
			pidfd := c.system(unix.SYS_PIDFD_OPEN, host, 0)
			require.Positive(t, pidfd)
			assert.Equal(t, enosys, c.system(unix.SYS_PIDFD_SEND_SIGNAL, pidfd, 0, 0, 0))
			assert.Equal(t, eperm, c.system(unix.SYS_PIDFD_GETFD, pidfd, 1, 0))

			assert.Zero(t, c.system(unix.SYS_KILL, self, 0))
			assert.Zero(t, c.system(unix.SYS_TGKILL, self, self, 0))
			if !alone {
				assert.Zero(t, c.system(unix.SYS_KILL, c.call(mChild), int64(syscall.SIGKILL)), "a child")
				assert.EqualValues(t, syscall.SIGABRT, c.call(mChildAborts), "the children signal themselves")
			}
		})
	}
}

func TestFilter_OtherProcesses(t *testing.T) {
	host, group := int64(os.Getpid()), int64(syscall.Getpgrp())
	c := confine(t, isolate.Limits{})
	buffer, self := c.call(mBuffer), int64(c.PID())
	tests := map[string][]int64{
		"ptrace":             {unix.SYS_PTRACE, unix.PTRACE_ATTACH, host, 0, 0},
		"process_vm_readv":   {unix.SYS_PROCESS_VM_READV, host, buffer, 0, buffer, 0, 0},
		"process_vm_writev":  {unix.SYS_PROCESS_VM_WRITEV, host, buffer, 0, buffer, 0, 0},
		"process_madvise":    {unix.SYS_PROCESS_MADVISE, 0, buffer, 0, 0, 0},
		"prlimit64":          {unix.SYS_PRLIMIT64, host, unix.RLIMIT_NOFILE, 0, buffer},
		"F_SETOWN":           {unix.SYS_FCNTL, 0, unix.F_SETOWN, host},
		"F_SETOWN, a group":  {unix.SYS_FCNTL, 0, unix.F_SETOWN, -group},
		"F_SETOWN_EX":        {unix.SYS_FCNTL, 0, unix.F_SETOWN_EX, buffer},
		"TIOCSTI":            {unix.SYS_IOCTL, 0, unix.TIOCSTI, buffer},
		"TIOCLINUX":          {unix.SYS_IOCTL, 0, unix.TIOCLINUX, buffer},
		"TIOCSCTTY, to take": {unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 1},
		"FIOSETOWN":          {unix.SYS_IOCTL, 0, 0x8901, buffer},
		"SIOCSPGRP":          {unix.SYS_IOCTL, 0, unix.SIOCSPGRP, buffer},
		"a brother":          {unix.SYS_CLONE, unix.CLONE_PARENT | int64(syscall.SIGCHLD), 0, 0, 0, 0},
	}
	for name, args := range tests {
		assert.Equal(t, eperm, c.system(args...), name)
	}
	assert.Zero(t, c.system(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, buffer))
	assert.Zero(t, c.system(unix.SYS_PRLIMIT64, self, unix.RLIMIT_NOFILE, 0, buffer))
	assert.Equal(t, enosys, c.system(unix.SYS_CLONE3, 0, 0))
}

// TestConfine_InheritedDescriptors: the plugin has no descriptor of the host's, of whatever kind.
func TestConfine_InheritedDescriptors(t *testing.T) {
	event, err := unix.Eventfd(0, 0)
	require.NoError(t, err)
	defer unix.Close(event)
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	require.NoError(t, err)
	defer unix.Close(pidfd)
	_, err = unix.FcntlInt(uintptr(pidfd), unix.F_SETFD, 0)
	require.NoError(t, err)
	kernel, err := unix.Open("/sys/kernel/mm/transparent_hugepage/enabled", unix.O_RDONLY, 0)
	if err == nil {
		defer unix.Close(kernel)
	}
	group, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	require.NoError(t, err)
	for _, path := range group {
		if fd, err := unix.Open(path, unix.O_RDONLY, 0); err == nil {
			defer unix.Close(fd)
		}
	}
	// What is not closed on exec here reaches the worker, as through a host that was
	// itself started with it: os/exec has no say in that.
	c := confine(t, isolate.Limits{})
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID()))
	require.NoError(t, err)
	for _, e := range entries {
		what, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", c.PID(), e.Name()))
		require.NoError(t, err)
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", c.PID(), e.Name()))
		require.NoError(t, err)
		const cloexec = 0o2000000
		var flags int
		for line := range strings.Lines(string(info)) {
			if text, ok := strings.CutPrefix(line, "flags:"); ok {
				_, err = fmt.Sscanf(strings.TrimSpace(text), "%o", &flags)
				require.NoError(t, err)
			}
		}
		if e.Name() != "0" && e.Name() != "1" && e.Name() != "2" {
			assert.NotZero(t, flags&cloexec, "%s is open: %s", e.Name(), what)
		}
		assert.NotContains(t, what, "nyash-worker", "the shared memory has room for more than a limit")
		assert.NotContains(t, what, "cgroup.procs")
		assert.NotContains(t, what, "pidfd")
	}
}

// TestConfine_Environment: programs that a plugin starts are no workers.
func TestConfine_Environment(t *testing.T) {
	c := confine(t, isolate.Limits{}, func(config *isolate.Config) { config.Env = []string{"PATH"} })
	assert.Zero(t, c.call(mHasEnv))
	assert.Zero(t, c.call(mRunEnv))
}
