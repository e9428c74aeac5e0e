package isolate

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// usage reads what the system says of a process; zeros where it has ended.
func usage(pid int) (rss uint64, cpu time.Duration) {
	dir := "/proc/" + strconv.Itoa(pid)
	if text, err := os.ReadFile(dir + "/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseUint(fields[1], 10, 64)
			rss = pages * uint64(os.Getpagesize())
		}
	}
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return rss, 0
	}
	// The program's name may hold spaces; it ends at the last parenthesis.
	rest := text[strings.LastIndexByte(string(text), ')')+1:]
	if fields := strings.Fields(string(rest)); len(fields) > 12 {
		const tick = time.Second / 100 // what Linux shows, on every processor
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		cpu = time.Duration(user+system) * tick
	}
	return rss, cpu
}
