package probe

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// surroundings looks at this process. No call may be under way.
func surroundings(withThreads bool) (*Surroundings, error) {
	debug.FreeOSMemory() // what is left of this program's own is not the plugin's
	s := &Surroundings{}
	var errs [5]error
	s.Dir, errs[0] = os.Getwd()
	var status map[string]string
	status, errs[1] = readStatus("/proc/self/status")
	s.Handlers, errs[2] = handlers()
	umask, _ := strconv.ParseInt(status["Umask"], 8, 32)
	s.Umask = int(umask)
	kib, _ := strconv.ParseUint(strings.TrimSuffix(status["RssAnon"], " kB"), 10, 64)
	s.Anonymous = kib << 10
	s.Heap = heapInUse()
	files, err := os.ReadDir("/proc/self/fd")
	s.Files, errs[3] = len(files), err
	if withThreads {
		s.Threads, errs[4] = threads()
	}
	return s, errors.Join(errs[:]...)
}

// handlers asks for the handler of each signal.
func handlers() ([]uint64, error) {
	all := make([]uint64, signals)
	for i := range all {
		var action [4]uint64 // as in dieOfSignals
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(i+1), 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0); errno != 0 {
			return nil, fmt.Errorf("ask for the handler of signal %d: %w", i+1, errno)
		}
		all[i] = action[0]
	}
	return all, nil
}

// signals is how many there are.
const signals = 64

// readStatus reads a file of "name: value" lines.
func readStatus(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields, nil
}

// span is a part of the address space.
type span struct{ from, to uint64 }

func (s span) holds(addr uint64) bool { return s.from <= addr && addr < s.to }

// ownCode is where this program's code is mapped, and the system's for it.
func ownCode() (spans []span, err error) {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.Contains(fields[1], "x") || fields[5] != self && fields[5] != "[vdso]" {
			continue
		}
		var s span
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &s.from, &s.to); err != nil {
			return nil, err
		}
		spans = append(spans, s)
	}
	return spans, nil
}

// threads looks where the threads wait. One of Go's waits in Go's own code while
// no call is under way.
func threads() ([]Thread, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	code, err := ownCode()
	if err != nil {
		return nil, err
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	var all []Thread
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc/self/task", task.Name())
		status, err := readStatus(filepath.Join(dir, "status"))
		if err != nil {
			continue // it has ended
		}
		t := Thread{ID: id, Name: status["Name"], Blocked: blocked(dir, status)}
		t.Foreign = id != unix.Gettid() && foreign(dir, code)
		all = append(all, t)
	}
	return all, nil
}

// blocked are the signals that a thread has blocked. One that begins has all
// blocked for a moment.
func blocked(dir string, status map[string]string) uint64 {
	const (
		looks  = 200 // a millisecond apart
		almost = 50  // signals, of which some cannot be blocked
	)
	mask, _ := strconv.ParseUint(status["SigBlk"], 16, 64)
	for look := 0; look < looks && bits.OnesCount64(mask) > almost; look++ {
		<-time.After(time.Millisecond)
		again, err := readStatus(filepath.Join(dir, "status"))
		if err != nil {
			return 0 // it has ended
		}
		mask, _ = strconv.ParseUint(again["SigBlk"], 16, 64)
	}
	return mask
}

// foreign tells whether a thread stays outside of the program's code, or works all
// the time. One of Go's is elsewhere only for moments, when it begins or ends, and
// one that only waits for a processor is nobody's.
func foreign(dir string, code []span) bool {
	const (
		looks     = 100 // a millisecond apart
		elsewhere = 10  // looks that find it elsewhere
		busy      = 3   // ticks of processor time, of 10 ms
	)
	outside := 0
	before := ticks(dir)
	for range looks {
		text, err := os.ReadFile(filepath.Join(dir, "syscall"))
		if err != nil {
			return false // it has ended, or it is nobody's business
		}
		// "running", or numbers of which the last is the address of the code.
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			addr, err := strconv.ParseUint(strings.TrimPrefix(fields[len(fields)-1], "0x"), 16, 64)
			if err != nil || within(code, addr) {
				return false
			}
			if outside++; outside == elsewhere {
				return true
			}
		}
		<-time.After(time.Millisecond)
	}
	return ticks(dir)-before >= busy
}

// ticks is the processor time that a thread has used.
func ticks(dir string) uint64 {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	// The name may hold spaces; it ends at the last parenthesis.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseUint(fields[11], 10, 64)
	system, _ := strconv.ParseUint(fields[12], 10, 64)
	return user + system
}

func within(code []span, addr uint64) bool {
	for _, s := range code {
		if s.holds(addr) {
			return true
		}
	}
	return false
}
