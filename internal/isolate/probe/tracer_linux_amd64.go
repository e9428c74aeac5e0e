package probe

import "golang.org/x/sys/unix"

// neverSleepHere and waitNamesHere are of the older system calls that other processors lack.
var neverSleepHere = []int{unix.SYS_ARCH_PRCTL, unix.SYS_TIME}

var waitNamesHere = map[int]string{
	unix.SYS_OPEN: "open", unix.SYS_STAT: "stat", unix.SYS_LSTAT: "lstat", unix.SYS_ACCESS: "access", unix.SYS_READLINK: "readlink",
	unix.SYS_UNLINK: "unlink", unix.SYS_NEWFSTATAT: "newfstatat", unix.SYS_POLL: "poll", unix.SYS_SELECT: "select",
	unix.SYS_EPOLL_WAIT: "epoll_wait", unix.SYS_PAUSE: "pause", unix.SYS_FORK: "fork", unix.SYS_VFORK: "vfork", unix.SYS_PIPE: "pipe",
}
