package isolate

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// cell is a cgroup of one worker and all that it starts. It bounds what no limit of a
// single process counts: memory of children, shared memory, files in tmpfs. And it
// knows the children that left the worker's process group. A nil cell is none.
type cell struct {
	dir   string
	v2    bool
	limit uint64 // limits.memory
}

// cellPrefix begins the names of cells, which are below the host's own cgroup.
const cellPrefix = "nyash-"

var (
	cells    atomic.Uint64 // that were made
	parent   = sync.OnceValue(func() *cellParent { return findParent("/proc/self") })
	sweepOld = sync.OnceFunc(func() { parent().sweep() })
)

// newCell makes a cell where limits.memory is set and the system lets this process
// make one. Without, the other bounds hold as far as they go.
func newCell(config *Config) *cell {
	if config.Limits.Memory == nil || config.Wrapper != nil {
		return nil // a debugger needs more than any plugin
	}
	p := parent()
	if p == nil {
		return nil
	}
	sweepOld()
	return p.cell(fmt.Sprintf("%s%d-%d", cellPrefix, os.Getpid(), cells.Add(1)), *config.Limits.Memory)
}

// cellParent is a cgroup that cells can be made in.
type cellParent struct {
	dir string
	v2  bool
}

// findParent finds this process's own memory cgroup; proc is its folder in /proc.
func findParent(proc string) *cellParent {
	own, err := os.ReadFile(proc + "/cgroup")
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile(proc + "/mountinfo")
	if err != nil {
		return nil
	}
	var unified string
	for line := range strings.Lines(string(own)) {
		// A number, controllers, a path.
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(fields) != 3:
		case slices.Contains(strings.Split(fields[1], ","), "memory"):
			if dir := mounted(string(mounts), "cgroup", "memory", fields[2]); dir != "" {
				return &cellParent{dir: dir}
			}
			return nil
		case fields[0] == "0" && fields[1] == "":
			unified = fields[2]
		}
	}
	if unified == "" {
		return nil
	}
	dir := mounted(string(mounts), "cgroup2", "", unified)
	control, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if dir == "" || err != nil || !slices.Contains(strings.Fields(string(control)), "memory") {
		return nil
	}
	return &cellParent{dir: dir, v2: true}
}

// mounted is where a cgroup is in the file system: of the mounts of a type, and with
// an option of the file system if one is given. It is empty where it is nowhere.
func mounted(mounts, kind, option, path string) string {
	for line := range strings.Lines(mounts) {
		// …, root, mount point, …, "-", type, source, options.
		front, behind, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(front), strings.Fields(behind)
		if !ok || len(left) < 5 || len(right) < 3 || right[0] != kind {
			continue
		}
		if option != "" && !slices.Contains(strings.Split(right[2], ","), option) {
			continue
		}
		// A container may see a part of the tree only.
		below, err := filepath.Rel(left[3], path)
		if err == nil && below != ".." && !strings.HasPrefix(below, "../") {
			return filepath.Join(left[4], below)
		}
	}
	return ""
}

// cell makes a cell, or nil.
func (p *cellParent) cell(name string, limit uint64) *cell {
	c := &cell{dir: filepath.Join(p.dir, name), v2: p.v2, limit: limit}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return nil
	}
	if err := c.bound(); err != nil {
		_ = os.Remove(c.dir)
		return nil
	}
	return c
}

// bound sets how much memory there may be in the cell: what the limit lets a worker
// have, twice because the plugin's own memory and what host->alloc hands out add up,
// and what the worker needs itself.
func (c *cell) bound() error {
	all := uint64(math.MaxInt64)
	if c.limit < all/4 {
		all = 2*c.limit + workerOverhead
	}
	file, swap, swapped := "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", all
	if c.v2 {
		file, swap, swapped = "memory.max", "memory.swap.max", 0
	}
	if err := c.write(file, all); err != nil {
		return err
	}
	_ = c.write(swap, swapped) // where the system counts it
	return nil
}

// write writes to a file of the cgroup, which the kernel has made.
func (c *cell) write(name string, value uint64) error {
	file, err := os.OpenFile(filepath.Join(c.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(strconv.FormatUint(value, 10))
	return err
}

// enter puts the worker into the cell. It waits for what it is to load, and has
// started nothing.
func (c *cell) enter(pid int) {
	if c != nil {
		_ = c.write("cgroup.procs", uint64(pid)) // otherwise it is as if there were none
	}
}

// cause is why the system ended the worker, if the cell knows.
func (c *cell) cause() error {
	if c == nil {
		return nil
	}
	file := "memory.oom_control"
	if c.v2 {
		file = "memory.events"
	}
	text, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok && strings.TrimSpace(n) != "0" {
			return errOutOfMemory(c.limit)
		}
	}
	return nil
}

// removeWait is how long the members of a cell may take to end, and to be cleared away
// by whoever is their parent.
const removeWait = time.Second

// remove ends what is left in the cell, and the cell. The worker has ended.
func (c *cell) remove() {
	if c == nil {
		return
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for start := time.Now(); ; <-again.C {
		if err := os.Remove(c.dir); err == nil || errors.Is(err, os.ErrNotExist) || time.Since(start) > removeWait {
			return
		}
		if !c.v2 || c.write("cgroup.kill", 1) != nil {
			c.killMembers()
		}
	}
}

func (c *cell) members() (pids []int) {
	text, _ := os.ReadFile(filepath.Join(c.dir, "cgroup.procs"))
	for _, field := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killMembers kills one by one. A number that is still a member's after it was opened
// was that member's all the time.
func (c *cell) killMembers() {
	opened := make(map[int]int)
	for _, pid := range c.members() {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			opened[pid] = fd
		}
	}
	for _, pid := range c.members() {
		if fd, ok := opened[pid]; ok {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	}
	for _, fd := range opened {
		_ = unix.Close(fd)
	}
}

// sweep removes the cells of hosts that were killed, which are empty.
func (p *cellParent) sweep() {
	dirs, _ := filepath.Glob(filepath.Join(p.dir, cellPrefix+"*-*"))
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), cellPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = unix.Rmdir(dir) // one with members stays: they may be of a host that is not seen from here
		}
	}
}
