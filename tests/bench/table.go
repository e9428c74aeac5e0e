package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The work that is measured, in the order of the table.
const (
	workAdd      = "add two i64"
	work16       = "echo 16 B"
	work1K       = "echo 1 KiB"
	work32K      = "echo 32 KiB"
	workBlob     = "echo 1 MiB blob"
	workBlob64   = "echo 64 MiB blob"
	workLend     = "lend a 16 B blob"
	workLendMany = "lend a 1 MiB blob"
	workTwo      = "add, two goroutines"
	workAsk      = "C asks Go"
	workNested   = "a plugin has two i64 added"
	workLoop     = "a loop of 10⁸ turns"
	workInstance = "load FileBox as a module"
)

var works = []string{workAdd, work16, work1K, work32K, workBlob, workBlob64, workLend, workLendMany, workTwo, workAsk, workNested, workLoop, workInstance}

// echoes are the sizes of the echoes with bytes.
var echoes = map[string]int{work16: 16, work1K: 1 << 10, work32K: 32 << 10}

// Names of rows that bars refer to.
const (
	viaMethod   = "loader, resolved method"
	viaLeaf     = "loader, leaf method"
	viaLeafName = "loader, leaf method by name"
	viaTable    = "loader, resolved method of a table"
	viaName     = "loader, by name"
	viaBatch    = "loader, batch of 64"
	viaBlob     = "loader, as a blob"
	viaProcess  = "loader, in another process"
	viaPipes    = "loader, in another process, pipes"
	viaBatched  = "loader, in another process, batch of 64"
	viaCgo      = "bare cgo"
	viaLoop     = "C loop (the floor)"
	viaRegister = "purego.RegisterFunc"
	viaSyscall  = "purego.SyscallN"
	viaWazero   = "wazero"
	viaWazeroIO = "wazero, bytes copied in and out"
	viaGRPC     = "hashicorp/go-plugin, gRPC"
	viaNetRPC   = "hashicorp/go-plugin, net/rpc"
	viaStd      = "Go's plugin package"
	viaEntry    = "the host's invoke"
	viaGoType   = "by a Go type of its host"
	viaPlugin   = "by another plugin"
	viaExport   = "cgo, an exported function"
	viaCallback = "purego.NewCallback"

	viaModule        = "loader, a module"
	viaBulk          = "loader, a module with memory.copy"
	viaUncheckedBulk = "wazero, the module with memory.copy"
	viaDisk          = "loader, code on the disk"
	viaMemory        = "loader, code in the process"
	viaUnchecked     = "wazero, the same module"
	viaUncheckedIO   = "wazero, the same module, bytes copied in and out"
	viaExtism        = "Extism's SDK"
	viaExtismTimed   = "Extism's SDK, with a limit of time"
)

// row is one way to do one piece of work.
type row struct {
	work, via string
	perOp     int // pieces of work in one iteration
	run       func(b *testing.B)

	times  []float64 // ns for one piece of work
	allocs int64
}

type table struct {
	rows    []*row
	callers map[string]func() (caller, error) // for latencies
}

func (t *table) add(work, via string, run func(b *testing.B)) { t.addMany(work, via, 1, run) }

func (t *table) addMany(work, via string, perOp int, run func(b *testing.B)) {
	t.rows = append(t.rows, &row{work: work, via: via, perOp: perOp, run: run})
}

// measure runs every row once, so that rows are compared under the same load.
func (t *table) measure() {
	for _, r := range t.rows {
		result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			r.run(b)
		})
		r.times = append(r.times, float64(result.T.Nanoseconds())/float64(result.N)/float64(r.perOp))
		r.allocs = result.AllocsPerOp()
	}
}

func median(times []float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// median is the time of a row.
func (t *table) median(work, via string) float64 {
	for _, r := range t.rows {
		if r.work == work && r.via == via {
			return median(r.times)
		}
	}
	panic("no row " + work + " via " + via)
}

func (t *table) allocs(work, via string) int64 {
	for _, r := range t.rows {
		if r.work == work && r.via == via {
			return r.allocs
		}
	}
	panic("no row " + work + " via " + via)
}

// print writes the table as Markdown.
func (t *table) print() {
	fmt.Println("| work | through | ns | allocations | × bare cgo |")
	fmt.Println("|---|---|---:|---:|---:|")
	for _, work := range works {
		var cgo float64
		for _, r := range t.rows {
			if r.work == work && r.via == viaCgo {
				cgo = median(r.times)
			}
		}
		for _, r := range t.rows {
			if r.work != work {
				continue
			}
			ratio := ""
			if cgo > 0 {
				ratio = fmt.Sprintf("%.2f", median(r.times)/cgo)
			}
			fmt.Printf("| %s | %s | %s | %d | %s |\n", r.work, r.via, number(median(r.times)), r.allocs, ratio)
		}
	}
	fmt.Println()
}

// number writes a time with three digits that mean something.
func number(ns float64) string {
	if ns < 100 {
		return fmt.Sprintf("%.1f", ns)
	}
	digits := fmt.Sprintf("%.0f", ns)
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}

// processor is the processor's name, as far as the system tells.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name\t: "); ok {
			return name
		}
	}
	return "processor"
}
