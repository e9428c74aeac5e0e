package registry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Isolation says where a library's code runs.
type Isolation uint8

const (
	// IsolationNone runs it in the host's own process. It is the default.
	IsolationNone Isolation = iota
	// IsolationProcess runs it in a worker process of its own.
	IsolationProcess
)

var isolationNames = []string{"none", "process"}

// String returns the word that nyash.toml uses.
func (i Isolation) String() string { return isolationNames[i] }

// ParseIsolation is the reverse of String.
func ParseIsolation(word string) (i Isolation, ok bool) {
	n := slices.Index(isolationNames, word)
	return Isolation(max(n, 0)), n >= 0
}

// Process is what nyash.toml says of a library's worker process.
type Process struct {
	Restart     Restart
	Limits      Limits
	CallTimeout time.Duration // 0 for none
	LoadTimeout time.Duration // of a worker, from its start until the library is loaded
	CancelGrace time.Duration // 0 to kill at once; see docs/nyash-toml.md
	IdleTimeout time.Duration // 0 for none
	Env         []string      // names of the variables that are passed on
	Dir         string        // the working directory; empty for the host's
}

// Restart says when a worker that died is replaced. With more than Max deaths
// within Within it is not.
type Restart struct {
	Max     int
	Within  time.Duration
	Backoff time.Duration // before the first new worker; doubled for each further one
}

// defaultProcess holds where nyash.toml says nothing of a worker.
func defaultProcess() Process {
	return Process{
		Restart:     Restart{Max: 5, Within: time.Minute, Backoff: 50 * time.Millisecond},
		LoadTimeout: 30 * time.Second,
		CancelGrace: 30 * time.Second,
	}
}

// Limits are what a worker may use. Nil is no limit but the system's.
type Limits struct {
	Memory    *uint64        // bytes, beyond what the worker itself needs
	OpenFiles *uint64        // descriptors
	CPUTime   *time.Duration // of one call, on the thread that serves it
	CPUTotal  *time.Duration // of the worker's life, all threads
	Processes *uint64        // that the plugin may start
}

// processFields are the keys that a library's table may have for its worker.
var processFields = []field[*Library]{
	{name: "isolation", read: func(d *document, l *Library, k *key) { l.Isolation = d.isolation(k) }},
	{name: "restart", read: func(d *document, l *Library, k *key) {
		if d.want(k, unstable.InlineTable, `{ max = 5, within = "1m", backoff = "50ms" }`) {
			read(d, k.val.table, &l.Process.Restart, restartFields, nil)
		}
	}},
	{name: "limits", read: func(d *document, l *Library, k *key) {
		if d.want(k, unstable.InlineTable, `{ memory = "256MiB", open_files = 64 }`) {
			read(d, k.val.table, &l.Process.Limits, limitFields, nil)
		}
	}},
	{name: "call_timeout", read: func(d *document, l *Library, k *key) { l.Process.CallTimeout = d.duration(k, "5s") }},
	{name: "load_timeout", read: func(d *document, l *Library, k *key) { l.Process.LoadTimeout = d.positive(k, "30s") }},
	{name: "cancel_grace", read: func(d *document, l *Library, k *key) { l.Process.CancelGrace = d.duration(k, "30s") }},
	{name: "idle_timeout", read: func(d *document, l *Library, k *key) { l.Process.IdleTimeout = d.duration(k, "10m") }},
	{name: "env", read: func(d *document, l *Library, k *key) {
		l.Process.Env = append([]string(nil), d.variables(k)...) // none is nil, written or not
	}},
	{name: "working_directory", read: func(d *document, l *Library, k *key) { l.Process.Dir = d.text(k, "/var/lib/app") }},
}

var restartFields = []field[*Restart]{
	{name: "max", read: func(d *document, r *Restart, k *key) { r.Max = int(min(d.count(k, "5"), math.MaxInt32)) }},
	{name: "within", read: func(d *document, r *Restart, k *key) { r.Within = d.positive(k, "1m") }},
	{name: "backoff", read: func(d *document, r *Restart, k *key) { r.Backoff = d.duration(k, "50ms") }},
}

var limitFields = []field[*Limits]{
	{name: "memory", read: func(d *document, l *Limits, k *key) {
		if l.Memory = d.size(k); l.Memory != nil && *l.Memory < leastMemory {
			d.fail(k.val.at, k.path(), strconv.Quote(k.val.text)+" is too little for any plugin", `write at least memory = "1MiB"`)
		}
	}},
	{name: "open_files", read: func(d *document, l *Limits, k *key) {
		errs, n := len(d.errs), d.count(k, "64")
		if l.OpenFiles = &n; n < leastFiles && len(d.errs) == errs {
			d.fail(k.val.at, k.path(), "the worker needs some descriptors itself", fmt.Sprintf("write at least open_files = %d", leastFiles))
		}
	}},
	{name: "cpu_time", read: func(d *document, l *Limits, k *key) { t := d.positive(k, "10s"); l.CPUTime = &t }},
	{name: "cpu_total", read: func(d *document, l *Limits, k *key) { t := d.positive(k, "10m"); l.CPUTotal = &t }},
	{name: "processes", read: func(d *document, l *Limits, k *key) { n := d.count(k, "0"); l.Processes = &n }},
}

// The smallest limits with which a worker can load anything.
const (
	leastMemory = 1 << 20
	leastFiles  = 16
)

// variables reads names of environment variables.
func (d *document) variables(k *key) []string {
	names := d.texts(k, "HOME")
	for _, name := range names {
		if strings.ContainsAny(name, "=*\x00") {
			d.fail(k.val.at, k.path(), strconv.Quote(name)+" is not the name of a variable", `write env = ["HOME"]; values come from the host's environment, and there are no patterns`)
		}
	}
	return names
}

func (d *document) isolation(k *key) Isolation {
	word := d.text(k, "process")
	if i, ok := ParseIsolation(word); ok || word == "" {
		return i
	}
	d.fail(k.val.at, k.path(), "invalid isolation value "+strconv.Quote(word),
		"write \"none\" (in the host's process) or \"process\" (in a process of its own)")
	return IsolationNone
}

// checkProcess warns of keys that say nothing without a worker.
func (d *document) checkProcess(k *key, l *Library) {
	if l.Isolation == IsolationProcess || k.val.table == nil {
		return
	}
	if l.IsModule() {
		d.checkModuleProcess(k.val.table)
		return
	}
	for _, f := range processFields[1:] {
		if k := k.val.table.get(f.name); k != nil {
			d.warnNotIsolated(k, "a plugin")
		}
	}
}

// checkModuleProcess warns of keys that say nothing of a module in the host's process.
func (d *document) checkModuleProcess(t *table) {
	var without []*key
	for _, name := range []string{"idle_timeout", "working_directory"} {
		without = append(without, t.get(name))
	}
	if limits := t.get("limits"); limits != nil && limits.val.table != nil {
		for _, f := range limitFields {
			if f.name != "memory" && f.name != "open_files" {
				without = append(without, limits.val.table.get(f.name))
			}
		}
	}
	for _, k := range without {
		if k != nil {
			d.warnNotIsolated(k, "a WebAssembly module")
		}
	}
}

// ErrNotIsolated is what a warning matches that holds for a library in the host's own process: a
// host that runs all libraries in processes of their own has no use for it.
var ErrNotIsolated = errors.New("the library runs in the host's own process")

func (d *document) warnNotIsolated(k *key, what string) {
	if d.warns() {
		e := d.newError(k.at, k.path(), "it has no effect on "+what+" in the host's own process", `add isolation = "process"`)
		e.Err = ErrNotIsolated
		d.warnings = append(d.warnings, e)
	}
}

func (d *document) duration(k *key, example string) time.Duration {
	text := d.text(k, example)
	if text == "" {
		return 0
	}
	t, err := time.ParseDuration(text)
	if err != nil || t < 0 {
		d.invalidDuration(k, text, example, `units are "us", "ms", "s", "m" and "h"`)
		return 0
	}
	return t
}

// positive is duration for a time that cannot be nothing.
func (d *document) positive(k *key, example string) time.Duration {
	errs := len(d.errs)
	t := d.duration(k, example)
	if t == 0 && len(d.errs) == errs {
		d.invalidDuration(k, k.val.text, example, "it must be more than 0")
	}
	return t
}

func (d *document) invalidDuration(k *key, text, example, rule string) {
	d.fail(k.val.at, k.path(), "invalid duration "+strconv.Quote(text), "write "+k.name+" = "+strconv.Quote(example)+"; "+rule)
}

// count reads a whole number from 0.
func (d *document) count(k *key, example string) uint64 {
	if !d.want(k, unstable.Integer, example) {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(k.val.text, "+"), 0, 63)
	if err != nil {
		d.fail(k.val.at, k.path(), "invalid count "+k.val.text, "write "+k.name+" = "+example)
		return 0
	}
	return n
}

// units are those of sizes, longest first.
var units = []struct {
	name  string
	bytes uint64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

func (d *document) size(k *key) *uint64 {
	text := d.text(k, "256MiB")
	if text == "" {
		return nil
	}
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err == nil && n <= math.MaxInt64/u.bytes {
			n *= u.bytes
			return &n
		}
		break
	}
	d.fail(k.val.at, k.path(), "invalid size "+strconv.Quote(text), `write `+k.name+` = "256MiB"; units are B, KiB, MiB, GiB, kB, MB and GB`)
	return nil
}
