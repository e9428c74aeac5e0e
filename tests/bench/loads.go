package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// manyLibraries is how many distinct libraries are loaded at most.
const manyLibraries = 256

// loads is what loading costs.
type loads struct {
	c, loader  []float64 // ns for one library, each a distinct one
	footprints map[int]footprintReport
}

// footprintReport is the resident memory of a process, in bytes.
type footprintReport struct {
	Resident  int // of the process
	Libraries int // of that, pages of the plugins' files
	Micros    int // to load them all at once, in microseconds
}

// perLibrary is the resident memory that each further library needs beyond its
// own pages, in bytes.
func (l *loads) perLibrary() float64 {
	one, many := l.footprints[1], l.footprints[manyLibraries]
	return float64((many.Resident-many.Libraries)-(one.Resident-one.Libraries)) / (manyLibraries - 1)
}

// copies makes distinct libraries of one: each is a file of its own with a type
// id of its own.
func copies(dir, library, name string, n int) ([]string, error) {
	data, err := os.ReadFile(library)
	if err != nil {
		return nil, err
	}
	mark := binary.LittleEndian.AppendUint32(nil, typeID)
	if bytes.Count(data, mark) == 0 {
		return nil, fmt.Errorf("%s does not hold its type id", library)
	}
	files := make([]string, n)
	for i := range files {
		files[i] = filepath.Join(dir, fmt.Sprintf("%s%d.so", name, i))
		own := binary.LittleEndian.AppendUint32(nil, typeID+1+uint32(i))
		if err := os.WriteFile(files[i], bytes.ReplaceAll(data, mark, own), 0o700); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// tomlOf declares a box for each file.
func tomlOf(files []string) string {
	var b strings.Builder
	for i, file := range files {
		fmt.Fprintf(&b, "[plugins.Bench%d]\nlibrary = %q\n[plugins.Bench%d.methods]%s", i, file, i, methods)
	}
	return b.String()
}

// measureLoads loads distinct libraries in turn by C and by the loader, and
// has processes of their own load 1, 16 and 256.
func measureLoads(dir, library string, rounds int) (*loads, error) {
	l := &loads{footprints: make(map[int]footprintReport)}
	n := 20 * rounds
	byC, err := copies(dir, library, "c", n)
	if err != nil {
		return nil, err
	}
	byLoader, err := copies(dir, library, "l", n)
	if err != nil {
		return nil, err
	}
	h, err := openHost(tomlOf(byLoader))
	if err != nil {
		return nil, err
	}
	defer h.Close()
	for i := range n {
		start := time.Now()
		if _, err := loadInC(byC[i]); err != nil {
			return nil, err
		}
		l.c = append(l.c, float64(time.Since(start).Nanoseconds()))
		start = time.Now()
		if err := h.Load(ctx, fmt.Sprintf("Bench%d", i)); err != nil {
			return nil, err
		}
		l.loader = append(l.loader, float64(time.Since(start).Nanoseconds()))
	}
	many, err := copies(dir, library, "m", manyLibraries)
	if err != nil {
		return nil, err
	}
	for _, count := range []int{1, 16, manyLibraries} {
		report, err := footprint(many[:count])
		if err != nil {
			return nil, err
		}
		l.footprints[count] = report
	}
	return l, nil
}

// footprint has a new process load the files and tell its memory.
func footprint(files []string) (report footprintReport, err error) {
	self, err := os.Executable()
	if err != nil {
		return report, err
	}
	out, err := exec.Command(self, append([]string{"-footprint", strconv.Itoa(len(files))}, files...)...).Output()
	if err != nil {
		return report, fmt.Errorf("measure the memory of %d libraries: %w", len(files), err)
	}
	return report, json.Unmarshal(out, &report)
}

// printFootprint is that process.
func printFootprint(n int, files []string) error {
	h, err := openHost(tomlOf(files[:n]))
	if err != nil {
		return err
	}
	defer h.Close()
	start := time.Now()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("Bench%d", i))
	}
	if err := h.Load(ctx, names...); err != nil {
		return err
	}
	took := time.Since(start)
	debug.FreeOSMemory()
	report, err := resident(files)
	if err != nil {
		return err
	}
	report.Micros = int(took.Microseconds())
	return json.NewEncoder(os.Stdout).Encode(report)
}

// resident adds up what the system says of each mapping of this process.
func resident(files []string) (report footprintReport, err error) {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return report, err
	}
	defer smaps.Close()
	ours := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 0 && !strings.HasSuffix(fields[0], ":") {
			ours = slices.Contains(files, fields[len(fields)-1])
			continue
		}
		if len(fields) < 2 || fields[0] != "Rss:" {
			continue
		}
		kib, err := strconv.Atoi(fields[1])
		if err != nil {
			return report, err
		}
		report.Resident += kib << 10
		if ours {
			report.Libraries += kib << 10
		}
	}
	return report, nil
}

func (l *loads) print() {
	fmt.Println("| loading | µs |")
	fmt.Println("|---|---:|")
	fmt.Printf("| dlopen, 4 dlsym, abi and init in C, for each of %d libraries | %.0f |\n", len(l.c), median(l.c)/1e3)
	fmt.Printf("| host.Load, for each of as many | %.0f |\n", median(l.loader)/1e3)
	fmt.Println()
	fmt.Println("| libraries in a process | host.Load of all at once, µs | resident | of that the libraries' own pages |")
	fmt.Println("|---:|---:|---:|---:|")
	for _, n := range []int{1, 16, manyLibraries} {
		r := l.footprints[n]
		fmt.Printf("| %d | %s | %.1f MiB | %.1f MiB |\n", n, number(float64(r.Micros)), float64(r.Resident)/(1<<20), float64(r.Libraries)/(1<<20))
	}
	fmt.Println()
}
