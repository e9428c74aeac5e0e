//go:build linux && (amd64 || arm64)

package worker

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
	argSize    = 8
)

// firstX32 is the lowest number of amd64's second set of system calls, which
// SECCOMP tells by nothing else.
const firstX32 = 0x40000000

const (
	allow = unix.SECCOMP_RET_ALLOW
	die   = unix.SECCOMP_RET_KILL_PROCESS
)

// refuse has a system call fail.
func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// rule says what becomes of one system call: the action of the first case that
// holds, or otherwise.
type rule struct {
	number    uint32
	cases     []ruleCase
	otherwise uint32
}

// ruleCase holds where all its comparisons do.
type ruleCase struct {
	all    []comparison
	action uint32
}

// comparison looks at the lower half of an argument: all that is looked at here are
// numbers of 32 bits for the kernel. Both processors are little-endian.
type comparison struct {
	arg   int
	mask  uint32
	value uint32
}

// when is a case with one comparison.
func when(arg int, mask, value, action uint32) ruleCase {
	return ruleCase{[]comparison{{arg, mask, value}}, action}
}

const whole = ^uint32(0)

// compile makes the filter of rules. What has no rule is decided by its number
// alone, which the kernel sees beforehand: it never runs the filter for such a call.
func compile(arch uint32, rules []rule) []unix.SockFilter {
	program := []unix.SockFilter{
		load(dataArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: arch},
		answer(die), // system calls of another architecture
		load(dataNumber),
	}
	if arch == unix.AUDIT_ARCH_X86_64 {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: firstX32}, answer(die))
	}
	for _, r := range rules {
		var body []unix.SockFilter
		for _, c := range r.cases {
			body = append(body, c.compile()...)
		}
		body = append(body, answer(r.otherwise))
		program = append(program, skipUnless(r.number, len(body)))
		program = append(program, body...)
	}
	return append(program, answer(allow))
}

func (c ruleCase) compile() []unix.SockFilter {
	code := []unix.SockFilter{answer(c.action)}
	for i := len(c.all) - 1; i >= 0; i-- {
		this := []unix.SockFilter{load(uint32(dataArgs + argSize*c.all[i].arg))}
		if c.all[i].mask != whole {
			this = append(this, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.all[i].mask})
		}
		this = append(this, skipUnless(c.all[i].value, len(code)))
		code = append(this, code...)
	}
	return code
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func answer(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// skipUnless skips n instructions unless what was loaded is value.
func skipUnless(value uint32, n int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: uint8(n), K: value}
}

// install sets a filter for every thread that there is, and so for those that come,
// and for the children.
func install(filter []unix.SockFilter) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	return nil
}
