package main

import "fmt"

// bar is a figure that the project holds itself to.
type bar struct {
	what  string
	have  float64
	want  float64
	least bool // want is the least, and not the most, that have may be
	unit  string
}

func (b bar) String() string {
	met, bound := b.have <= b.want, "≤"
	if b.least {
		met, bound = b.have >= b.want, "≥"
	}
	verdict := "met"
	if !met {
		verdict = "MISSED"
	}
	return fmt.Sprintf("| %s | %s %s%s | %s%s | %s |", b.what, bound, trim(b.want), b.unit, trim(b.have), b.unit, verdict)
}

func trim(f float64) string {
	if f >= 100 {
		return number(f)
	}
	return fmt.Sprintf("%.4g", float64(int(f*100+0.5))/100)
}

// bars are those of native libraries, in this process and in others.
func bars(t *table, l *loads, p *latencies) []bar {
	method := t.median(workAdd, viaMethod)
	return append(callBars(t), []bar{
		{"faster than purego.RegisterFunc's bare call", t.median(workAdd, viaRegister) / method, 5, true, " ×"},
		{"faster than go-plugin (gRPC)", t.median(workAdd, viaGRPC) / method, 1000, true, " ×"},
		{"faster than wazero, 1 KiB", t.median(work1K, viaWazeroIO) / t.median(work1K, viaMethod), 1, true, " ×"},
		{"faster than wazero, 32 KiB", t.median(work32K, viaWazeroIO) / t.median(work32K, viaMethod), 1, true, " ×"},
		{"… as a blob", t.median(work32K, viaWazeroIO) / t.median(work32K, viaBlob), 1, true, " ×"},
		{"1 MiB blob echo: × the plugin's own work in C", t.median(workBlob, viaMethod) / t.median(workBlob, viaLoop), 1.1, false, ""},
		{"C asks Go: × a cgo callback", t.median(workAsk, viaEntry) / t.median(workAsk, viaExport), 1.5, false, ""},
		{"… allocations", float64(t.allocs(workAsk, viaEntry)), 0, false, ""},
		{"plugin → Go type, two i64: × a cgo callback", t.median(workNested, viaGoType) / t.median(workAsk, viaExport), 6, false, ""},
		{"… allocations", float64(t.allocs(workNested, viaGoType)), 0, false, ""},
		{"plugin → plugin: × the same and a resolved call", t.median(workNested, viaPlugin) / (t.median(workNested, viaGoType) + method), 1.2, false, ""},
		{"isolated plugin → Go type: × a call the other way (p50)", p.inside / float64(p.find(viaProcess, 1, false).at(0.5)), 3, false, ""},
		{"… from a thread of its own, both asleep: × the ping-pong", p.asleep / p.pingpong, 3, false, ""},
		{"load a library: × dlopen, 4 dlsym, init in C", median(l.loader) / median(l.c), 1.4, false, ""},
		{"another process, batch of 64, each call: × a single one", t.median(workAdd, viaBatched) / t.median(workAdd, viaProcess), 0.15, false, ""},
		{"another process, p50 of add: faster than gRPC", p.ratio(viaGRPC, 1, false, 0.5), 40, true, " ×"},
		{"… × the ping-pong of two C processes", float64(p.find(viaProcess, 1, false).at(0.5)) / p.pingpong, 3.5, false, ""},
		{"… processors busy, p50: faster than gRPC", p.ratio(viaGRPC, 1, true, 0.5), 3, true, " ×"},
		{"… processors busy, p99: faster than gRPC", p.ratio(viaGRPC, 1, true, 0.99), 1, true, " ×"},
		{"… 8 callers: throughput of one ×", p.find(viaProcess, 1, false).each / p.find(viaProcess, 8, false).each, 1.3, true, ""},
		{"… 8 callers: throughput of gRPC ×", p.find(viaGRPC, 8, false).each / p.find(viaProcess, 8, false).each, 8, true, ""},
		{"… 64 MiB blob echo: × in process", t.median(workBlob64, viaProcess) / t.median(workBlob64, viaMethod), 2, false, ""},
		{"… crash to the next good answer", float64(p.recovery.Microseconds()) / 1e3, 50, false, " ms"},
		{"… idle worker, resident", float64(p.idleRSS) / (1 << 20), 20, false, " MiB"},
		{"… idle worker, processor time", p.idleCPU.Seconds() * 100, 0, false, " %"},
		{"each further library beyond its own pages", l.perLibrary() / 1024, 50, false, " KiB"},
	}...)
}

// callBars are those of calls in this process, beside cgo and wazero.
func callBars(t *table) []bar {
	cgo := t.median(workAdd, viaCgo)
	method, leaf := t.median(workAdd, viaMethod), t.median(workAdd, viaLeaf)
	return []bar{
		{"resolved method, add two i64: × bare cgo", method / cgo, 2, false, ""},
		{"… allocations", float64(t.allocs(workAdd, viaMethod)), 0, false, ""},
		{"… of a TypeBox table: × that of four symbols", t.median(workAdd, viaTable) / method, 1.05, false, ""},
		{"by name: × bare cgo", t.median(workAdd, viaName) / cgo, 3.5, false, ""},
		{"… allocations", float64(t.allocs(workAdd, viaName)), 1, false, ""},
		{"leaf method, add two i64: × bare cgo", leaf / cgo, 1, false, ""},
		{"… allocations", float64(t.allocs(workAdd, viaLeaf)), 0, false, ""},
		{"… by name: × bare cgo", t.median(workAdd, viaLeafName) / cgo, 1.5, false, ""},
		{"… echo 1 KiB: × wazero", t.median(work1K, viaLeaf) / t.median(work1K, viaWazeroIO), 1.05, false, ""},
		{"… echo 32 KiB: × wazero", t.median(work32K, viaLeaf) / t.median(work32K, viaWazeroIO), 1.05, false, ""},
		{"… two goroutines: throughput of one ×", leaf / t.median(workTwo, viaLeaf), 1.8, true, ""},
		{"batch of 64, each call: × bare cgo", t.median(workAdd, viaBatch) / cgo, 0.4, false, ""},
		{"echo 32 KiB: × a cgo call and two memcpy", t.median(work32K, viaMethod) / t.median(work32K, viaCgo), 1.5, false, ""},
		{"1 MiB blob lent: × a 16 B blob", t.median(workLendMany, viaMethod) / t.median(workLend, viaMethod), 1.1, false, ""},
		{"two goroutines: throughput of one ×", method / t.median(workTwo, viaMethod), 1.7, true, ""},
	}
}

// moduleBars are those of WebAssembly modules, which are interruptible in each.
func moduleBars(t *table) []bar {
	module := func(work string) float64 { return t.median(work, viaModule) }
	add := module(workAdd)
	return []bar{
		{"a module, add two i64: × wazero without checks", add / t.median(workAdd, viaWazero), 2.5, false, ""},
		{"… × wazero without checks, the same module", add / t.median(workAdd, viaUnchecked), 2.5, false, ""},
		{"… × bare cgo", add / t.median(workAdd, viaCgo), 2, false, ""},
		{"… allocations", float64(t.allocs(workAdd, viaModule)), 0, false, ""},
		{"… echo 1 KiB: × wazero without checks", module(work1K) / t.median(work1K, viaUncheckedIO), 1, false, ""},
		{"… echo 32 KiB: × wazero without checks", module(work32K) / t.median(work32K, viaUncheckedIO), 1, false, ""},
		{"… with memory.copy, 1 KiB: × the same", t.median(work1K, viaBulk) / t.median(work1K, viaUncheckedBulk), 1, false, ""},
		{"… with memory.copy, 32 KiB: × the same", t.median(work32K, viaBulk) / t.median(work32K, viaUncheckedBulk), 1, false, ""},
		{"… a loop: × the same without checks", module(workLoop) / t.median(workLoop, viaUnchecked), 1.5, false, ""},
		{"… load FileBox, code in the process", t.median(workInstance, viaMemory) / 1e6, 1, false, " ms"},
		{"… load FileBox, code on the disk", t.median(workInstance, viaDisk) / 1e6, 1, false, " ms"},
		{"… two goroutines, two modules: throughput of one ×", add / module(workTwo), 1.7, true, ""},
		{"… faster than Extism's SDK", t.median(workAdd, viaExtism) / add, 5, true, " ×"},
	}
}

func printBars(bars []bar) {
	fmt.Println("| bar | wanted | measured | |")
	fmt.Println("|---|---:|---:|---|")
	for _, b := range bars {
		fmt.Println(b)
	}
}
