package plugintest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// schedule is how much the system has let a process's threads run.
type schedule struct {
	ran    time.Duration
	waited map[string]time.Duration // of each thread, for a processor
	disk   bool                     // one stands still until the system has read or written
}

func scheduleOf(pid int) (u schedule) {
	u.waited = make(map[string]time.Duration)
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, dir := range threads {
		if stat, err := os.ReadFile(dir + "/stat"); err == nil {
			// The thread's name may hold spaces; it ends at the last parenthesis.
			_, state, _ := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" "))
			u.disk = u.disk || bytes.HasPrefix(state, []byte("D"))
		}
		text, _ := os.ReadFile(dir + "/schedstat")
		if fields := bytes.Fields(text); len(fields) >= 2 {
			u.ran += nanoseconds(fields[0])
			u.waited[dir] = nanoseconds(fields[1])
		}
	}
	return u
}

func nanoseconds(text []byte) time.Duration {
	n, _ := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(n)
}

// isStarved tells whether a process that has used so much before has hardly run in the time since,
// because it was not given a processor, or the disk.
func (u schedule) isStarved(before schedule, in time.Duration) bool {
	if u.ran-before.ran > in/20 {
		return false
	}
	for thread, waited := range u.waited {
		if waited-before.waited[thread] > in/2 {
			return true
		}
	}
	return u.disk
}
