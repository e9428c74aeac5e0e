package interleave

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

//go:embed driver/driver.c
var source string

// ErrUnavailable means that there can be no driver here; the message says why.
var ErrUnavailable = errors.New("no driver")

// flags are those that the driver is compiled with.
var flags = []string{"-std=gnu11", "-O1", "-g", "-pthread"}

// Build returns the driver's program, which it compiles where this user has none of this
// version. The error is ErrUnavailable.
func Build(ctx context.Context) (string, error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("%w: it is for Linux", ErrUnavailable)
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		return "", fmt.Errorf("%w: there is no C compiler to make it with (apt install gcc, dnf install gcc)", ErrUnavailable)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	dir := filepath.Join(cache, "nyash", "plugin-tester")
	name := sha256.Sum256([]byte(strings.Join(flags, " ") + runtime.GOARCH + source))
	program := filepath.Join(dir, fmt.Sprintf("driver-%x", name[:8]))
	if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return program, compile(ctx, compiler, program)
}

// compile writes the program under a name of its own first: others may do the same.
func compile(ctx context.Context, compiler, program string) error {
	f, err := os.CreateTemp(filepath.Dir(program), "driver-*.tmp")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	_ = f.Close()
	defer func() { _ = os.Remove(f.Name()) }()
	cmd := exec.CommandContext(ctx, compiler, append(flags, "-x", "c", "-o", f.Name(), "-", "-ldl")...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%w: %s: %w: %s", ErrUnavailable, compiler, err, first)
	}
	if err := os.Rename(f.Name(), program); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Do has a driver carry out a program, and returns what came of each run. wrapper is a command
// around the driver, or nil. A run that hangs is the last. Runs that the driver did not come to,
// for that, because ctx ended or because the plugin has damaged it, are StatusLost.
func (p *Program) Do(ctx context.Context, driver string, wrapper []string) ([]Result, error) {
	results := make([]Result, len(p.Runs))
	for i := range results {
		results[i].Status = StatusLost
	}
	input := filepath.Join(p.Dir, "program")
	if err := os.WriteFile(input, p.encode(), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	line := append(append([]string(nil), wrapper...), driver, input)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "MALLOC_PERTURB_=165") // of the C library of GNU: freed memory is overwritten
	if p.Mark != "" {
		cmd.Env = append(cmd.Env, p.Mark)
	}
	contain(cmd)
	reports, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reports.Close()
	cmd.Stdout = out
	err = cmd.Start()
	out.Close()
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // what came of the runs is in the reports
		// A process of the plugin may have the other end, which is then never closed.
		_ = reports.SetReadDeadline(time.Now().Add(drainTime))
	}()
	whole := p.readResults(reports, results, cancel)
	if !whole {
		_, _ = io.Copy(io.Discard, reports) // else a driver that lives would wait
	}
	<-ended
	endGroup(cmd)
	if name, ok := endedBy(cmd.ProcessState); ok && !whole && ctx.Err() == nil {
		return results, &EndedError{name}
	}
	return results, nil
}

// drainTime is how long reports are waited for after the driver has ended: they are in the pipe.
const drainTime = time.Second

// EndedError means that the driver was ended before it had made all runs, which only the plugin does.
type EndedError struct {
	Signal string // its name; empty where the driver stood still
}

func (e *EndedError) Error() string { return "the driver was ended by " + e.Signal }

// readResults reads reports until the last, and tells whether it came. A hang ends the driver.
func (p *Program) readResults(r io.Reader, results []Result, cancel func()) (whole bool) {
	for {
		run, result, err := p.readResult(r)
		if err != nil {
			return errors.Is(err, errAllMade) // or what the plugin made of it
		}
		results[run] = result
		if result.Status == StatusHang {
			cancel()
		}
	}
}
