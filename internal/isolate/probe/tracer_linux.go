//go:build amd64 || arm64

package probe

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tracer notes the system calls of one thread that can sleep. The kernel has each wait until
// a goroutine of the tracer has seen it, and then makes it.
//
// It does so for calls from code that is not this program's only: the runtime makes its own
// where it cannot wait for a goroutine.
type tracer struct {
	listener int
	thread   int
	call     atomic.Int32 // the number of the call that the thread makes, from 1; 0 between calls

	mu    sync.Mutex
	found []foundWait // in the order in which they were made first
}

// foundWait is a system call that was made.
type foundWait struct {
	number int32
	calls  int
	last   int32 // the call of the method in which it was made last
}

var errTracer = errors.New("the kernel does not tell the system calls of a thread")

// newTracer traces the calling thread from here on. The goroutine is locked to it for good.
func newTracer() (*tracer, error) {
	code, err := ownCode()
	if err != nil {
		return nil, err
	}
	filter, err := waitFilter(code)
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", errTracer, err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	listener, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return nil, fmt.Errorf("%w: %w", errTracer, errno)
	}
	t := &tracer{listener: int(listener), thread: unix.Gettid()}
	go t.listen()
	return t, nil
}

// notification is struct seccomp_notif of linux/seccomp.h, and reply struct
// seccomp_notif_resp.
type notification struct {
	id     uint64
	thread uint32
	flags  uint32
	data   struct {
		number  int32
		arch    uint32
		address uint64
		args    [6]uint64
	}
}

type reply struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// listen lets the system calls go on until no thread has the filter any more, or the process
// ends: the library may have begun threads, which have it too.
func (t *tracer) listen() {
	defer func() { _ = unix.Close(t.listener) }()
	for {
		poll := []unix.PollFd{{Fd: int32(t.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return
		}
		n := new(notification)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(n))); errno != 0 {
			continue // a signal has ended the wait
		}
		t.note(n)
		r := &reply{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(t.listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(r)))
	}
}

func (t *tracer) note(n *notification) {
	call := t.call.Load()
	if int(n.thread) != t.thread || call == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.found, func(f foundWait) bool { return f.number == n.data.number })
	switch {
	case i < 0:
		t.found = append(t.found, foundWait{n.data.number, 1, call})
	case t.found[i].last != call:
		t.found[i].calls++
		t.found[i].last = call
	}
}

func (t *tracer) waits() []Wait {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Wait, len(t.found))
	for i, f := range t.found {
		all[i] = Wait{waitName(f.number), f.calls}
	}
	return all
}

// Offsets in struct seccomp_data; both processors are little-endian.
const (
	dataNumber  = 0
	dataAddress = 8
	dataArgs    = 16
	argSize     = 8
)

// futexWaits are the operations of futex that sleep, of linux/futex.h: FUTEX_WAIT,
// FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI and FUTEX_LOCK_PI2. futexFlags are
// the bits beside them: FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
var futexWaits = []uint32{0, 6, 9, 11, 13}

const futexFlags = 128 | 256

// waitFilter has the kernel tell the system calls that neverSleep does not list, unless they
// are made by code of these spans.
func waitFilter(own []span) ([]unix.SockFilter, error) {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(op uint16, k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: uint8(yes), Jf: uint8(no), K: k}
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	tell := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF}
	var program []unix.SockFilter
	for _, s := range own {
		if s.from>>32 != (s.to-1)>>32 {
			return nil, errTracer // one comparison for both ends does not do
		}
		program = append(program,
			load(dataAddress+4), jump(unix.BPF_JEQ, uint32(s.from>>32), 0, 4),
			load(dataAddress), jump(unix.BPF_JGE, uint32(s.from), 0, 2), jump(unix.BPF_JGT, uint32(s.to-1), 1, 0), allow)
	}
	program = append(program, load(dataNumber))
	for _, number := range neverSleep {
		program = append(program, jump(unix.BPF_JEQ, uint32(number), 0, 1), allow)
	}
	program = append(program, jump(unix.BPF_JEQ, unix.SYS_FUTEX, 1, 0), tell, load(dataArgs+argSize),
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: ^uint32(futexFlags)})
	for _, op := range futexWaits {
		program = append(program, jump(unix.BPF_JEQ, op, 0, 1), tell)
	}
	return append(program, allow), nil
}

// neverSleep are the system calls that code makes which does not wait for anything but
// memory: allocators, locks that they let go, and questions about the process.
var neverSleep = slices.Concat([]int{
	unix.SYS_BRK, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE,
	unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
	unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_GETTIMEOFDAY, unix.SYS_TIMES, unix.SYS_GETRUSAGE,
	unix.SYS_GETCPU, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SCHED_YIELD, unix.SYS_GETRANDOM, unix.SYS_SYSINFO, unix.SYS_UNAME,
	unix.SYS_PRCTL, unix.SYS_PRLIMIT64, unix.SYS_MEMBARRIER, unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_SET_TID_ADDRESS,
	unix.SYS_TGKILL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_RESTART_SYSCALL,
}, neverSleepHere)

// waitName is the name of a system call.
func waitName(number int32) string {
	if name := waitNames[int(number)]; name != "" {
		return name
	}
	if name := waitNamesHere[int(number)]; name != "" {
		return name
	}
	return fmt.Sprintf("number %d", number)
}

// waitNames are those that plugins are likely to make.
var waitNames = map[int]string{
	unix.SYS_FUTEX: "futex", unix.SYS_NANOSLEEP: "nanosleep", unix.SYS_CLOCK_NANOSLEEP: "clock_nanosleep",
	unix.SYS_READ: "read", unix.SYS_READV: "readv", unix.SYS_PREAD64: "pread64", unix.SYS_PREADV: "preadv",
	unix.SYS_WRITE: "write", unix.SYS_WRITEV: "writev", unix.SYS_PWRITE64: "pwrite64", unix.SYS_PWRITEV: "pwritev",
	unix.SYS_OPENAT: "openat", unix.SYS_CLOSE: "close", unix.SYS_LSEEK: "lseek", unix.SYS_FSTAT: "fstat", unix.SYS_STATX: "statx",
	unix.SYS_FACCESSAT: "faccessat", unix.SYS_READLINKAT: "readlinkat", unix.SYS_UNLINKAT: "unlinkat", unix.SYS_GETDENTS64: "getdents64",
	unix.SYS_FTRUNCATE: "ftruncate", unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_SYNC: "sync", unix.SYS_MSYNC: "msync",
	unix.SYS_FLOCK: "flock", unix.SYS_FCNTL: "fcntl", unix.SYS_IOCTL: "ioctl", unix.SYS_SENDFILE: "sendfile", unix.SYS_SPLICE: "splice",
	unix.SYS_PIPE2: "pipe2", unix.SYS_PPOLL: "ppoll", unix.SYS_PSELECT6: "pselect6", unix.SYS_EPOLL_PWAIT: "epoll_pwait",
	unix.SYS_SOCKET: "socket", unix.SYS_CONNECT: "connect", unix.SYS_ACCEPT: "accept", unix.SYS_ACCEPT4: "accept4",
	unix.SYS_SENDTO: "sendto", unix.SYS_SENDMSG: "sendmsg", unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg",
	unix.SYS_WAIT4: "wait4", unix.SYS_WAITID: "waitid", unix.SYS_CLONE: "clone", unix.SYS_CLONE3: "clone3", unix.SYS_EXECVE: "execve",
	unix.SYS_RT_SIGTIMEDWAIT: "rt_sigtimedwait", unix.SYS_RT_SIGSUSPEND: "rt_sigsuspend", unix.SYS_MQ_TIMEDRECEIVE: "mq_timedreceive",
	unix.SYS_SEMOP: "semop", unix.SYS_SEMTIMEDOP: "semtimedop", unix.SYS_MSGRCV: "msgrcv", unix.SYS_IO_URING_ENTER: "io_uring_enter",
}
