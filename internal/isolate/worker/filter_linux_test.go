//go:build linux && (amd64 || arm64)

package worker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// evaluate runs a filter as the kernel does. looked tells whether it looked at
// arguments: where it does not, the kernel never runs it for such a call.
func evaluate(t *testing.T, filter []unix.SockFilter, arch, number uint32, args [6]uint64) (action uint32, looked bool) {
	t.Helper()
	data := func(offset uint32) uint32 {
		switch {
		case offset == dataNumber:
			return number
		case offset == dataArch:
			return arch
		case offset >= dataArgs && offset < dataArgs+6*argSize && offset%4 == 0:
			looked = true
			at := offset - dataArgs
			return uint32(args[at/argSize] >> (8 * (at % argSize)))
		}
		require.Fail(t, "load", "offset %d", offset)
		return 0
	}
	var a uint32
	for pc := 0; pc < len(filter); pc++ {
		in := filter[pc]
		jump := func(ok bool) {
			if ok {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = data(in.K)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= in.K)
		case unix.BPF_RET | unix.BPF_K:
			return in.K, looked
		default:
			require.Fail(t, "instruction", "%d: %+v", pc, in)
		}
	}
	require.Fail(t, "the filter has no end")
	return 0, looked
}

func TestFilter(t *testing.T) {
	const self, host, group, other = 1000, 500, 400, 700
	denied := refuse(unix.EPERM)
	minus := func(n int) uint64 { return uint64(-n) }
	low := func(n int) uint64 { return uint64(uint32(-n)) } // a C int, as some pass it
	alone := bounds{noProcesses: true, self: self, host: host, hostGroup: group}
	free := bounds{self: self, host: host, hostGroup: group}
	limited := bounds{memory: true, self: self, host: host, hostGroup: host}
	tests := map[string]struct {
		bounds bounds
		number uint32
		args   [6]uint64
		want   uint32
	}{
		"itself":                       {alone, unix.SYS_KILL, [6]uint64{self, 9}, allow},
		"itself, upper half":           {alone, unix.SYS_KILL, [6]uint64{7<<32 | self, 9}, allow},
		"another":                      {alone, unix.SYS_KILL, [6]uint64{other}, denied},
		"its group":                    {alone, unix.SYS_KILL, [6]uint64{0}, denied},
		"a thread of its own":          {alone, unix.SYS_TGKILL, [6]uint64{self, self + 1, 23}, allow},
		"a thread of another":          {alone, unix.SYS_TGKILL, [6]uint64{host, host, 9}, denied},
		"a process, none allowed":      {alone, unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}, denied},
		"a thread":                     {alone, unix.SYS_CLONE, [6]uint64{unix.CLONE_THREAD | unix.CLONE_VM}, allow},
		"clone3":                       {free, unix.SYS_CLONE3, [6]uint64{}, refuse(unix.ENOSYS)},
		"a process":                    {free, unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}, allow},
		"a brother":                    {free, unix.SYS_CLONE, [6]uint64{unix.CLONE_PARENT | uint64(unix.SIGCHLD)}, denied},
		"a neighbour":                  {free, unix.SYS_KILL, [6]uint64{other, 9}, allow},
		"the host":                     {free, unix.SYS_KILL, [6]uint64{host, 9}, denied},
		"the host, upper half":         {free, unix.SYS_KILL, [6]uint64{1<<32 | host, 9}, denied},
		"the host's group":             {free, unix.SYS_KILL, [6]uint64{minus(group), 9}, denied},
		"the host's group, as int":     {free, unix.SYS_KILL, [6]uint64{low(group), 9}, denied},
		"all":                          {free, unix.SYS_KILL, [6]uint64{minus(1), 9}, denied},
		"queue to the host":            {free, unix.SYS_RT_SIGQUEUEINFO, [6]uint64{host}, denied},
		"queue to a host's thread":     {free, unix.SYS_RT_TGSIGQUEUEINFO, [6]uint64{host}, denied},
		"tkill":                        {free, unix.SYS_TKILL, [6]uint64{self}, denied},
		"pidfd_send_signal":            {free, unix.SYS_PIDFD_SEND_SIGNAL, [6]uint64{5}, refuse(unix.ENOSYS)},
		"F_SETOWN, itself":             {free, unix.SYS_FCNTL, [6]uint64{0, unix.F_SETOWN, self}, allow},
		"F_SETOWN, nobody":             {free, unix.SYS_FCNTL, [6]uint64{0, unix.F_SETOWN, 0}, allow},
		"F_SETOWN, host":               {free, unix.SYS_FCNTL, [6]uint64{0, unix.F_SETOWN, host}, denied},
		"F_SETFD":                      {free, unix.SYS_FCNTL, [6]uint64{0, unix.F_SETFD, host}, allow},
		"prlimit64, itself":            {free, unix.SYS_PRLIMIT64, [6]uint64{0}, allow},
		"prlimit64, host":              {free, unix.SYS_PRLIMIT64, [6]uint64{host}, denied},
		"TIOCSTI":                      {free, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCSTI}, denied},
		"TIOCSTI, upper half":          {free, unix.SYS_IOCTL, [6]uint64{0, 1<<32 | unix.TIOCSTI}, denied},
		"TIOCSCTTY of a new one":       {free, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCSCTTY, 0}, allow},
		"TIOCSCTTY of another's":       {free, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCSCTTY, 1}, denied},
		"TCGETS":                       {free, unix.SYS_IOCTL, [6]uint64{0, unix.TCGETS}, allow},
		"ptrace":                       {free, unix.SYS_PTRACE, [6]uint64{}, denied},
		"memfd, no limit":              {free, unix.SYS_MEMFD_CREATE, [6]uint64{}, allow},
		"memfd":                        {limited, unix.SYS_MEMFD_CREATE, [6]uint64{}, denied},
		"shared file":                  {limited, unix.SYS_MMAP, [6]uint64{3: unix.MAP_SHARED}, allow},
		"shared anonymous":             {limited, unix.SYS_MMAP, [6]uint64{3: unix.MAP_SHARED | unix.MAP_ANONYMOUS | unix.MAP_NORESERVE}, denied},
		"shared anonymous, validated":  {limited, unix.SYS_MMAP, [6]uint64{3: unix.MAP_SHARED_VALIDATE | unix.MAP_ANONYMOUS}, denied},
		"private anonymous":            {limited, unix.SYS_MMAP, [6]uint64{3: unix.MAP_PRIVATE | unix.MAP_ANONYMOUS}, allow},
		"private that grows":           {limited, unix.SYS_MMAP, [6]uint64{3: unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_GROWSDOWN}, denied},
		"shared anonymous, no limit":   {free, unix.SYS_MMAP, [6]uint64{3: unix.MAP_SHARED | unix.MAP_ANONYMOUS}, allow},
		"what nobody knows":            {free, 5000, [6]uint64{}, allow},
		"the last number of the first": {free, firstX32 - 1, [6]uint64{}, allow},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			have, _ := evaluate(t, compile(auditArch, tt.bounds.rules()), auditArch, tt.number, tt.args)
			assert.Equal(t, fmt.Sprintf("%#x", tt.want), fmt.Sprintf("%#x", have))
		})
	}
}

func TestFilterOfOtherSystemCalls(t *testing.T) {
	for arch, x32 := range map[uint32]uint32{unix.AUDIT_ARCH_X86_64: die, unix.AUDIT_ARCH_AARCH64: allow} {
		filter := compile(arch, bounds{memory: true}.rules())
		have, _ := evaluate(t, filter, unix.AUDIT_ARCH_I386, 1, [6]uint64{})
		assert.EqualValues(t, die, have, "another architecture's")
		have, _ = evaluate(t, filter, arch, firstX32|5000, [6]uint64{})
		assert.Equal(t, x32, have)
	}
}

// TestFilterIsNotInTheWay: what calls and threads need all the time is decided by
// number, which the kernel does without the filter.
func TestFilterIsNotInTheWay(t *testing.T) {
	filter := compile(auditArch, bounds{memory: true, noProcesses: true, self: 1, host: 2, hostGroup: 2}.rules())
	assert.Less(t, len(filter), unix.BPF_MAXINSNS)
	for _, number := range []uint32{unix.SYS_FUTEX, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_SENDTO, unix.SYS_NANOSLEEP, unix.SYS_EPOLL_PWAIT, unix.SYS_MADVISE, unix.SYS_MUNMAP} {
		have, looked := evaluate(t, filter, auditArch, number, [6]uint64{})
		assert.EqualValues(t, allow, have, number)
		assert.False(t, looked, number)
	}
}

func TestFilterUnderADebugger(t *testing.T) {
	assert.Empty(t, bounds{wrapped: true, memory: true}.rules())
	for _, r := range (bounds{wrapped: true, noProcesses: true}).rules() {
		assert.NotContains(t, []uint32{unix.SYS_PTRACE, unix.SYS_KILL, unix.SYS_MMAP}, r.number)
	}
}
