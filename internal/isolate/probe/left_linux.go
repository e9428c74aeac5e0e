//go:build amd64 || arm64

package probe

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// control is the control state of a thread's floating-point unit, as readControl has it.
type control struct {
	first  uint32
	second uint16
}

func readControl() (first uint32, second uint16)
func writeControl(first uint32, second uint16)

// threadState is what a call can change in the thread that makes it.
type threadState struct {
	control control
	mask    uint64     // signals that are blocked
	stack   [3]uintptr // stack_t
	locale  uintptr    // a locale_t; 0 where that is not known
}

func thisThread() int { return unix.Gettid() }

// system is the C library of this process: addresses of functions, 0 for one that it lacks.
type system struct {
	setlocale, uselocale uintptr
	environ              uintptr // char ***
	initstate, setstate  uintptr
	randomState          [128]byte // what initstate is given for a moment
}

// localeAll is LC_ALL.
const localeAll = 6

// newSystem finds the C library.
func newSystem() (*system, error) {
	s := &system{}
	for name, addr := range map[string]*uintptr{
		"setlocale": &s.setlocale, "uselocale": &s.uselocale, "environ": &s.environ, "initstate": &s.initstate, "setstate": &s.setstate,
	} {
		*addr = native.System(name)
	}
	// Others keep the state in another form.
	if native.System("gnu_get_libc_version") == 0 || s.setstate == 0 {
		s.initstate = 0
	}
	return s, nil
}

// thread looks at the calling thread.
func (s *system) thread() (t threadState) {
	t.control.first, t.control.second = readControl()
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, 0, 0, uintptr(unsafe.Pointer(&t.mask)), 8, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&t.stack)), 0)
	if s.uselocale != 0 {
		t.locale = native.CallSystem(s.uselocale, 0)
	}
	return t
}

// with has what another thread begins with that this one has started, but the other's own.
func (t threadState) with(other threadState) threadState {
	t.control = other.control
	return t
}

// changes are those since a state of the same thread.
func (t threadState) changes(was threadState) (all []Change) {
	was.control.first &= controlBits
	is := t.control
	is.first &= controlBits
	if is != was.control {
		texts := controlTexts(was.control, is)
		if len(texts) == 0 {
			texts = []string{fmt.Sprintf("its control bits are %#x, and were %#x", is, was.control)}
		}
		all = append(all, Change{Part: FloatControl, Text: strings.Join(texts, "; ")})
	}
	if t.mask != was.mask {
		all = append(all, Change{Part: SignalMask, Text: maskText(t.mask, was.mask)})
	}
	const onStack = 1 // a handler runs on it
	t.stack[1] &^= onStack
	was.stack[1] &^= onStack
	if t.stack != was.stack {
		all = append(all, Change{Part: SignalStack, Text: fmt.Sprintf("the stack for signal handlers is at %#x, and was at %#x", t.stack[0], was.stack[0])})
	}
	if t.locale != was.locale {
		all = append(all, Change{Part: ThreadLocale, Text: "uselocale has set another locale for the thread"})
	}
	return all
}

func maskText(is, was uint64) string {
	var texts []string
	if more := is &^ was; more != 0 {
		texts = append(texts, "it blocks "+signalNames(more))
	}
	if less := was &^ is; less != 0 {
		texts = append(texts, "it does not block "+signalNames(less))
	}
	return strings.Join(texts, ", and ")
}

// signalNames are the names of a set of signals, for a person.
func signalNames(set uint64) string { return fewOf(namesOf(set)) }

// namesOf are the names of a set of signals.
func namesOf(set uint64) (names []string) {
	for i := range signals {
		if set>>i&1 == 0 {
			continue
		}
		name := unix.SignalName(unix.Signal(i + 1))
		if name == "" {
			name = fmt.Sprintf("signal %d", i+1)
		}
		names = append(names, name)
	}
	return names
}

func fewOf(names []string) string {
	const most = 6
	if len(names) > most {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// restore makes the calling thread as it was, so that what comes next on it is not disturbed.
func (t threadState) restore() {
	if first, second := readControl(); (control{first & controlBits, second}) != (control{t.control.first & controlBits, t.control.second}) {
		writeControl(t.control.first, t.control.second)
	}
	var mask uint64
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, 0, 0, uintptr(unsafe.Pointer(&mask)), 8, 0, 0)
	if mask != t.mask {
		const set = 2 // SIG_SETMASK
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, set, uintptr(unsafe.Pointer(&t.mask)), 0, 8, 0, 0)
	}
}

// processState is what a call can change in its process.
type processState struct {
	dir      string
	umask    string // in octal
	handlers []uint64
	locale   string
	environ  map[string]string
	random   []byte // the generator's state; nil where it is not known
	timers   map[string]string
	code     map[string]string // address ranges and what is mapped there
	files    map[string]string // numbers and names
	children map[string]string // process ids and names
}

// process looks at this process. No call may be under way, but for threads of the plugin's own.
func (s *system) process() (*processState, error) {
	p := &processState{}
	var errs [6]error
	p.dir, errs[0] = unix.Getwd()
	if errors.Is(errs[0], unix.ENOENT) {
		p.dir, errs[0] = "a folder that is removed", nil
	}
	var status map[string]string
	status, errs[1] = readStatus("/proc/self/status")
	p.umask = status["Umask"]
	p.handlers, errs[2] = handlers()
	p.code, errs[3] = writableCode()
	p.files, errs[4] = openFiles()
	p.timers, p.children = timers(), children()
	p.locale, errs[5] = s.currentLocale()
	p.environ = s.environment()
	p.random = s.random()
	return p, errors.Join(errs[:]...)
}

// maxVariable is how long a variable of the environment is looked at, and a locale's name, in
// bytes, and maxVariables how many of them are.
const (
	maxVariable  = 128 << 10
	maxVariables = 1 << 14
)

func (s *system) currentLocale() (string, error) {
	if s.setlocale == 0 {
		return "", nil
	}
	name := native.CallSystem(s.setlocale, localeAll, 0)
	if name == 0 {
		return "", nil
	}
	return cmem.CString(name, maxVariable)
}

// environment is what getenv of C would find; what cannot be read ends it.
func (s *system) environment() map[string]string {
	all := make(map[string]string)
	var list, text uintptr
	if s.environ == 0 || cmem.Copy(unsafe.Pointer(&list), s.environ, unsafe.Sizeof(list)) != nil || list == 0 {
		return all
	}
	for i := range uintptr(maxVariables) {
		if cmem.Copy(unsafe.Pointer(&text), list+i*unsafe.Sizeof(text), unsafe.Sizeof(text)) != nil || text == 0 {
			break
		}
		variable, err := cmem.CString(text, maxVariable)
		if err != nil {
			break
		}
		name, value, _ := strings.Cut(variable, "=")
		if _, have := all[name]; !have { // getenv takes the first
			all[name] = value
		}
	}
	return all
}

// random is the state of the generator of random and rand, which stays as it is: it is read
// while the functions have another state for a moment.
func (s *system) random() []byte {
	if s.initstate == 0 {
		return nil
	}
	own := &s.randomState
	state := native.CallSystem(s.initstate, 1, uintptr(unsafe.Pointer(own)), uintptr(len(own)))
	if state == 0 {
		return nil
	}
	defer native.CallSystem(s.setstate, state)
	var kind uint32 // of the generator, and where it is in its state
	if cmem.Copy(unsafe.Pointer(&kind), state, unsafe.Sizeof(kind)) != nil {
		return nil
	}
	sizes := []int{8, 32, 64, 128, 256}
	bytes := make([]byte, sizes[kind%uint32(len(sizes))])
	if cmem.Copy(unsafe.Pointer(&bytes[0]), state, uintptr(len(bytes))) != nil {
		return nil
	}
	return bytes
}

// timers are those of setitimer and alarm, and of timer_create, that are armed or may be, by
// name, with how they notify.
func timers() map[string]string {
	all := make(map[string]string)
	for which, name := range map[int]string{0: "ITIMER_REAL", 1: "ITIMER_VIRTUAL", 2: "ITIMER_PROF"} {
		var value [4]int64
		_, _, errno := unix.RawSyscall(unix.SYS_GETITIMER, uintptr(which), uintptr(unsafe.Pointer(&value)), 0)
		if errno == 0 && (value[2] != 0 || value[3] != 0) {
			all[name] = "setitimer or alarm"
		}
	}
	text, err := os.ReadFile("/proc/self/timers")
	if err != nil {
		return all // the kernel does not tell them
	}
	id, signal := "", 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "ID":
			id = value
		case "signal":
			number, _, _ := strings.Cut(value, "/")
			signal, _ = strconv.Atoi(number)
		case "notify":
			// C's own threads for timers wait for a signal that nobody else uses.
			const ofThreads = 32
			if strings.HasPrefix(value, "signal") && signal != ofThreads {
				all["timer "+id] = "timer_create, with " + signalNames(1<<(uint(signal-1)%signals))
			}
		}
	}
	return all
}

// writableCode is the memory that can be both written and run.
func writableCode() (map[string]string, error) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 || !strings.Contains(fields[1], "wx") {
			continue
		}
		name := "memory of its own"
		if len(fields) > 5 {
			name = fields[5]
		}
		all[fields[0]] = name
	}
	return all, nil
}

// openFiles are the open descriptors and what they are of.
func openFiles() (map[string]string, error) {
	const dir = "/proc/self/fd"
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for _, f := range files {
		if name, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil { // otherwise it was that of dir
			all[f.Name()] = name
		}
	}
	return all, nil
}

// children are the processes that this one has started and has not waited for, those that have ended among them. They
// are none where the kernel does not tell.
func children() map[string]string {
	all := make(map[string]string)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return all
	}
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for _, id := range strings.Fields(string(text)) {
			if status, err := readStatus("/proc/" + id + "/status"); err == nil {
				all[id] = status["Name"] + pick(strings.HasPrefix(status["State"], "Z"), ", which has ended", "")
			}
		}
	}
	return all
}

func pick(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// changes are those since another state of the process.
func (p *processState) changes(was *processState) (all []Change) {
	add := func(part Part, format string, args ...any) {
		all = append(all, Change{Part: part, Text: fmt.Sprintf(format, args...)})
	}
	if p.dir != was.dir {
		add(Directory, "it is now %s", p.dir)
	}
	if p.umask != was.umask {
		add(Umask, "it was %s and is now %s", was.umask, p.umask)
	}
	if names := namesOf(p.handled(was)); len(names) > 0 {
		all = append(all, Change{Part: Handlers, Text: "it handles " + fewOf(names), Names: names})
	}
	if p.locale != was.locale {
		add(Locale, "it was %q and is now %q", was.locale, p.locale)
	}
	if names := differing(p.environ, was.environ); len(names) > 0 {
		add(Environment, "%s", strings.Join(names, "; "))
	}
	if p.random != nil && was.random != nil && !slices.Equal(p.random, was.random) {
		add(Random, "it drew from the numbers of rand and random, or seeded them")
	}
	if names := added(p.timers, was.timers); len(names) > 0 {
		add(Timers, "%s", strings.Join(names, "; "))
	}
	if names := added(p.code, was.code); len(names) > 0 {
		add(Code, "%s", strings.Join(names, "; "))
	}
	if names := added(p.files, was.files); len(names) > 0 {
		all = append(all, Change{Part: Files, Text: strings.Join(names, "; "), Names: names})
	}
	for _, number := range []string{"0", "1", "2"} {
		switch had, ok := was.files[number]; {
		case ok && p.files[number] == "":
			add(Standard, "it closed descriptor %s, which was open when it was loaded (%s)", number, had)
		case ok && p.files[number] != had:
			add(Standard, "descriptor %s was %s and is now %s", number, had, p.files[number])
		}
	}
	if names := added(p.children, was.children); len(names) > 0 {
		all = append(all, Change{Part: Children, Text: fewOf(names), Names: names})
	}
	return all
}

func (p *processState) handled(was *processState) (set uint64) {
	for i := range p.handlers {
		if p.handlers[i] != was.handlers[i] {
			set |= 1 << i
		}
	}
	return set
}

// differing are the names of what two environments do not have alike. Values may be secret.
func differing(is, was map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(is)) {
		switch value, had := was[name]; {
		case !had:
			all = append(all, "it set "+name)
		case value != is[name]:
			all = append(all, "it changed "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, have := is[name]; !have {
			all = append(all, "it removed "+name)
		}
	}
	return all
}

// added is what is there that was not, or was something else.
func added(is, was map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if had, ok := was[name]; !ok || had != is[name] {
			all = append(all, name+": "+is[name])
		}
	}
	return all
}
