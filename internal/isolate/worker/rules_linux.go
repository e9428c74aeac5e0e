//go:build linux && (amd64 || arm64)

package worker

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]

// bounds are what the rules depend on.
type bounds struct {
	memory      bool // is limited
	noProcesses bool // may be started
	wrapped     bool // a debugger or the like runs this worker

	self, host, hostGroup int // process ids; 0 is none that is known here
}

// filterCalls has the kernel refuse what a plugin has no business with.
func filterCalls(limits wire.Limits, wrapped bool) error {
	b := bounds{
		memory:      limits.Memory != nil,
		noProcesses: limits.Processes != nil && *limits.Processes == 0,
		wrapped:     wrapped,
		self:        os.Getpid(),
		host:        os.Getppid(),
	}
	b.hostGroup, _ = unix.Getpgid(b.host) // 0 where it cannot be seen
	rules := b.rules()
	if len(rules) == 0 {
		return nil
	}
	err := install(compile(auditArch, rules))
	if (errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)) && !b.memory && !b.noProcesses {
		return nil // a kernel without filters, and no limit that needs one
	}
	return err
}

// fiosetown is FIOSETOWN, which is an older name of SIOCSPGRP.
const fiosetown = 0x8901

func (b bounds) rules() []rule {
	rules := b.processRules()
	if b.wrapped {
		return rules // a debugger traces, signals and maps
	}
	rules = append(rules, b.signalRules()...)
	denied := refuse(unix.EPERM)
	for _, number := range []uint32{
		// Looks into and changes other processes.
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
		unix.SYS_PIDFD_GETFD, unix.SYS_PROCESS_MADVISE,
	} {
		rules = append(rules, rule{number: number, otherwise: denied})
	}
	rules = append(rules,
		rule{unix.SYS_PRLIMIT64, []ruleCase{when(0, whole, 0, allow), when(0, whole, uint32(b.self), allow)}, denied},
		rule{unix.SYS_IOCTL, []ruleCase{
			// Types into a terminal, and takes one from another session.
			when(1, whole, unix.TIOCSTI, denied),
			when(1, whole, unix.TIOCLINUX, denied),
			{[]comparison{{1, whole, unix.TIOCSCTTY}, {2, whole, 1}}, denied},
			// The same as F_SETOWN below, with the process id in memory.
			when(1, whole, fiosetown, denied),
			when(1, whole, unix.SIOCSPGRP, denied),
		}, allow},
	)
	// A worker ends with its host, whatever becomes of that.
	rules = append(rules, rule{unix.SYS_PRCTL, []ruleCase{when(0, whole, unix.PR_SET_PDEATHSIG, denied)}, allow})
	if b.memory {
		// What RLIMIT_DATA does not count.
		for _, number := range []uint32{unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET, unix.SYS_SHMGET, unix.SYS_IO_URING_SETUP, unix.SYS_USERFAULTFD} {
			rules = append(rules, rule{number: number, otherwise: denied})
		}
		// MAP_SHARED is a bit of MAP_SHARED_VALIDATE.
		const shared = unix.MAP_SHARED | unix.MAP_ANONYMOUS
		rules = append(rules, rule{unix.SYS_MMAP, []ruleCase{
			when(3, shared, shared, denied),
			when(3, unix.MAP_GROWSDOWN, unix.MAP_GROWSDOWN, denied),
		}, allow})
	}
	return rules
}

// processRules are those of new processes.
func (b bounds) processRules() (rules []rule) {
	denied := refuse(unix.EPERM)
	if b.wrapped && !b.noProcesses {
		return nil
	}
	// clone3 has its flags in memory, where a filter cannot look. C libraries fall
	// back to clone.
	rules = append(rules, rule{number: unix.SYS_CLONE3, otherwise: refuse(unix.ENOSYS)})
	if b.noProcesses {
		// RLIMIT_NPROC could not tell processes from threads, counts those of the
		// user and does not hold for root.
		for _, number := range forks {
			rules = append(rules, rule{number: number, otherwise: denied})
		}
		return append(rules, rule{unix.SYS_CLONE, []ruleCase{when(0, unix.CLONE_THREAD, unix.CLONE_THREAD, allow)}, denied})
	}
	// A brother would be the host's child, of which that knows nothing.
	return append(rules, rule{unix.SYS_CLONE, []ruleCase{when(0, unix.CLONE_PARENT, unix.CLONE_PARENT, denied)}, allow})
}

// signalRules are those of signals to others. Everybody must be able to signal
// itself by its own number, as abort and the Go runtime do.
func (b bounds) signalRules() []rule {
	denied := refuse(unix.EPERM)
	var targets []ruleCase
	otherwise := uint32(allow)
	if b.noProcesses {
		// There is nobody else to signal; its group and all are others.
		targets, otherwise = []ruleCase{when(0, whole, uint32(b.self), allow)}, denied
	} else {
		// The filter is that of the children too, whose numbers nobody knows yet.
		forbidden := []int{-1}
		if b.host > 0 {
			forbidden = append(forbidden, b.host, -b.host)
		}
		if b.hostGroup > 0 && b.hostGroup != b.host {
			forbidden = append(forbidden, -b.hostGroup)
		}
		for _, target := range forbidden {
			targets = append(targets, when(0, whole, uint32(target), denied))
		}
	}
	var rules []rule
	for _, number := range []uint32{unix.SYS_KILL, unix.SYS_TGKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO} {
		rules = append(rules, rule{number, targets, otherwise})
	}
	return append(rules,
		// Its target is a thread's number, which says nothing of the process.
		rule{number: unix.SYS_TKILL, otherwise: denied},
		// Its target is a descriptor. Who finds it missing uses kill.
		rule{number: unix.SYS_PIDFD_SEND_SIGNAL, otherwise: refuse(unix.ENOSYS)},
		rule{unix.SYS_FCNTL, []ruleCase{
			{[]comparison{{1, whole, unix.F_SETOWN}, {2, whole, uint32(b.self)}}, allow},
			{[]comparison{{1, whole, unix.F_SETOWN}, {2, whole, 0}}, allow},
			when(1, whole, unix.F_SETOWN, denied),
			when(1, whole, unix.F_SETOWN_EX, denied),
		}, allow},
	)
}
