package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// caller makes one call of add and says whether it was right.
type caller func() bool

// latency is how long calls took under one condition.
type latency struct {
	via     string
	callers int
	busy    bool
	times   []time.Duration // of single calls, sorted
	each    float64         // ns of the clock on the wall for each call
}

func (l *latency) at(q float64) time.Duration {
	return l.times[min(int(q*float64(len(l.times))), len(l.times)-1)]
}

// latencies is the table of calls into another process.
type latencies struct {
	rows     []*latency
	pingpong float64       // ns of a round trip in C
	inside   float64       // ns of a call that the plugin makes, see measureNested
	asleep   float64       // and of one from a thread of its own
	start    time.Duration // from the spawn of a worker to its first answer
	recovery time.Duration // from a crash to the next good answer
	idleRSS  uint64        // of an idle worker, in bytes
	idleCPU  time.Duration // that it used in a second
}

func (l *latencies) find(via string, callers int, busy bool) *latency {
	for _, r := range l.rows {
		if r.via == via && r.callers == callers && r.busy == busy {
			return r
		}
	}
	panic("no such row")
}

// ratio is how much faster a call into another process is than through via.
func (l *latencies) ratio(via string, callers int, busy bool, q float64) float64 {
	return float64(l.find(via, callers, busy).at(q)) / float64(l.find(viaProcess, callers, busy).at(q))
}

// measureLatencies compares the ways that call another process.
func measureLatencies(dir, library string, make map[string]func() (caller, error)) (*latencies, error) {
	l := &latencies{}
	var err error
	if l.pingpong, err = pingpong(dir); err != nil {
		return nil, err
	}
	if l.inside, l.asleep, err = measureNested(dir); err != nil {
		return nil, err
	}
	for _, busy := range []bool{false, true} {
		stop, err := load(busy)
		if err != nil {
			return nil, err
		}
		for _, callers := range []int{1, 8} {
			for _, via := range []string{viaProcess, viaPipes, viaGRPC, viaNetRPC} {
				row, err := measureLatency(via, callers, busy, make[via])
				if err != nil {
					stop()
					return nil, err
				}
				l.rows = append(l.rows, row)
			}
		}
		stop()
	}
	return l, l.measureWorker(library)
}

// load keeps all processors busy with other work.
func load(busy bool) (stop func(), err error) {
	if !busy {
		return func() {}, nil
	}
	var all []*exec.Cmd
	stop = func() {
		for _, cmd := range all {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	for range runtime.NumCPU() {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			stop()
			return nil, err
		}
		all = append(all, cmd)
	}
	return stop, nil
}

func measureLatency(via string, callers int, busy bool, make func() (caller, error)) (*latency, error) {
	const span = 1500 * time.Millisecond
	row := &latency{via: via, callers: callers, busy: busy}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	start := time.Now()
	for range callers {
		call, err := make()
		if err != nil {
			return nil, err
		}
		wg.Go(func() {
			var times []time.Duration
			for begun := time.Now(); begun.Sub(start) < span; {
				ok := call()
				ended := time.Now()
				times = append(times, ended.Sub(begun))
				begun = ended
				if !ok {
					mu.Lock()
					failed = fmt.Errorf("%s: a call failed", via)
					mu.Unlock()
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			row.times = append(row.times, times...)
		})
	}
	wg.Wait()
	row.each = float64(time.Since(start).Nanoseconds()) / float64(max(len(row.times), 1))
	slices.Sort(row.times)
	return row, failed
}

func pingpong(dir string) (float64, error) {
	program := filepath.Join(dir, "pingpong")
	if out, err := exec.Command("cc", "-O2", "-o", program, "plugin/pingpong.c").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("compile pingpong: %w\n%s", err, out)
	}
	var all []float64
	for range 5 {
		out, err := exec.Command(program).Output()
		if err != nil {
			return 0, err
		}
		ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			return 0, err
		}
		all = append(all, ns)
	}
	return median(all), nil
}

func openIsolated(library string, channel isolate.Channel) (*loader.Host, error) {
	config, err := registry.Parse("bench.toml", fmt.Appendf(nil, "[plugins.Bench]\nlibrary = %q\nisolation = \"process\"\nrestart = { max = 1000, within = \"1h\", backoff = \"0ms\" }\n[plugins.Bench.methods]%s", library, methods))
	if err != nil {
		return nil, err
	}
	// Not this program itself, which has the peers in it.
	worker := filepath.Join(filepath.Dir(library), "nyash-worker")
	return loader.OpenConfig(config, loader.WithLogger(slog.New(slog.DiscardHandler)), loader.WithWorker(worker), loader.WithWorkerChannel(channel))
}

// measureStart has hosts start a worker each. Before there is none, a host does nothing for it.
func measureStart(library string) (time.Duration, error) {
	var starts []time.Duration
	for range 21 {
		h, err := openIsolated(library, isolate.ChannelAuto)
		if err != nil {
			return 0, err
		}
		start := time.Now()
		box, err := h.New(ctx, "Bench")
		if err != nil {
			h.Close()
			return 0, err
		}
		n := sum(box.Call(ctx, "add", 1, 2))
		starts = append(starts, time.Since(start))
		if err := h.Close(); err != nil || n != 3 {
			return 0, fmt.Errorf("a worker that was started answers %d: %w", n, err)
		}
	}
	slices.Sort(starts)
	return starts[len(starts)/2], nil
}

// measureWorker kills workers and watches an idle one.
func (l *latencies) measureWorker(library string) error {
	h, err := openIsolated(library, isolate.ChannelAuto)
	if err != nil {
		return err
	}
	defer h.Close()
	if l.start, err = measureStart(library); err != nil {
		return err
	}
	var recoveries []time.Duration
	for range 20 {
		box, err := h.New(ctx, "Bench")
		if err != nil {
			return err
		}
		worker, err := os.FindProcess(h.Plugins()[0].PID)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := worker.Kill(); err != nil {
			return err
		}
		for _, err = box.Call(ctx, "add", 1, 2); err == nil; _, err = box.Call(ctx, "add", 1, 2) {
		}
		if box, err = h.New(ctx, "Bench"); err != nil {
			return err
		}
		if n := sum(box.Call(ctx, "add", 1, 2)); n != 3 {
			return fmt.Errorf("%d after a crash", n)
		}
		recoveries = append(recoveries, time.Since(start))
	}
	slices.Sort(recoveries)
	l.recovery = recoveries[len(recoveries)/2]
	before := h.Plugins()[0]
	<-time.After(time.Second)
	after := h.Plugins()[0]
	l.idleRSS, l.idleCPU = after.RSS, after.CPU-before.CPU
	return nil
}

func (l *latencies) print() {
	fmt.Println("| add two i64 in another process | callers | processors | p50 µs | p99 µs | p99.9 µs | µs for each call |")
	fmt.Println("|---|---:|---|---:|---:|---:|---:|")
	for _, r := range l.rows {
		condition := "to spare"
		if r.busy {
			condition = "busy"
		}
		us := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Nanoseconds())/1e3) }
		fmt.Printf("| %s | %d | %s | %s | %s | %s | %.2f |\n", r.via, r.callers, condition, us(r.at(0.5)), us(r.at(0.99)), us(r.at(0.999)), r.each/1e3)
	}
	fmt.Printf("| ping-pong of two C processes | 1 | to spare | %.2f (mean) | | | |\n", l.pingpong/1e3)
	fmt.Printf("| by a Go type of the host, for the plugin | 1 | to spare | %.2f | | | |\n", l.inside/1e3)
	fmt.Printf("| … from a thread of the plugin's own, both sides asleep | 1 | to spare | %.2f | | | |\n\n", l.asleep/1e3)
	fmt.Printf("From the spawn of a worker to its first answer: %.1f ms. From a killed worker to the next good answer: %.1f ms. An idle worker: %.1f MiB resident, %v of processor time in a second.\n\n",
		float64(l.start.Microseconds())/1e3, float64(l.recovery.Microseconds())/1e3, float64(l.idleRSS)/(1<<20), l.idleCPU)
}
