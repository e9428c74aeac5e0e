package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/valgrind"
)

// memcheckCheck makes calls of the other checks under valgrind. Where that is not
// installed, only memory of host->alloc is checked.
var memcheckCheck = check{name: "memcheck", summary: "instances, files and malformed messages under valgrind", needs: needsMemcheck | needsBoxes, run: memcheck}

const (
	// valgrindSlow is how many times the time limit a call may take.
	valgrindSlow = 20
	// valgrindMutants is how many mutants are sent to a method.
	valgrindMutants = 60
)

func memcheck(e *env) error {
	if e.plugin.module {
		return nil
	}
	if e.shared.endsOthers {
		e.skip("valgrind: the plugin ends processes that are not its own, and would end the tester, as system calls are not refused there")
		return nil
	}
	if err := e.learn(); err != nil {
		return err
	}
	if !valgrind.Installed() {
		e.skip("memory that is not of host->alloc: valgrind is not installed (apt install valgrind, dnf install valgrind)")
		return memoryWork(e, workerOptions{})
	}
	dir, err := os.MkdirTemp("", "plugin-tester-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	defer func() { _ = files.RemoveAll(dir) }()
	// A report for each process: after a crash another is started.
	if err := memoryWork(e, workerOptions{wrapper: valgrind.Command(filepath.Join(dir, "%p.xml")), slow: valgrindSlow}); err != nil {
		return err
	}
	reports, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(reports) == 0 {
		return fmt.Errorf("%w: valgrind has written no report", ErrCannotRun)
	}
	for _, report := range reports {
		all, err := valgrind.Read(report, e.config.File)
		if err != nil {
			return err
		}
		for i := range all {
			e.addWatched(valgrindFinding(&all[i]))
		}
	}
	return nil
}

// addWatched adds a finding of valgrind, unless calls in guarded memory have shown the same. A stack without
// a name is of no call of the library: the function that hosts call has one.
func (e *env) addWatched(f Finding) {
	if !slices.ContainsFunc(f.Backtrace, func(frame string) bool { return frame != "" }) {
		return
	}
	if f.Line == 0 || !slices.ContainsFunc(e.recorder.report.Findings, func(have Finding) bool {
		return have.Code == f.Code && have.Line == f.Line && filepath.Base(have.File) == filepath.Base(f.File)
	}) {
		e.add(f)
	}
}

// memoryWork makes the calls that valgrind watches. They are made in one process,
// because starting valgrind is slow; after an exit in another.
func memoryWork(e *env, o workerOptions) error {
	work := []func(*worker) error{callEverything}
	for _, b := range e.plugin.boxes {
		work = append(work, func(w *worker) error { return manyBirths(w, b) }, func(w *worker) error { return finiTwice(w, b) })
		for _, m := range b.methods {
			if !e.shared.broken[m] {
				work = append(work, func(w *worker) error { return someMutants(w, m) })
			}
		}
		if len(missingFileMethods(b)) == 0 {
			work = append(work, func(w *worker) error { return (&fileBox{worker: w, box: b}).contents() }, func(w *worker) error { return (&fileBox{worker: w, box: b}).unknownSizes() })
		}
	}
	// The last leaves its instances to shutdown, which has to release them.
	work = append(work, (*worker).finiAll, callEverything)
	for len(work) > 0 {
		left := len(work)
		err := e.withWorker(o, func(w *worker) error {
			w.options.blobs = true
			w.options.quiet = o.wrapper != nil // other checks report what valgrind is not needed for
			for len(work) > 0 {
				f := work[0]
				work = work[1:]
				if err := ignoreBirth(f(w)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(work) == left {
			return err
		}
	}
	return nil
}

func manyBirths(w *worker, b *box) error {
	for range 10 {
		if _, err := w.birth(b); err != nil {
			return err
		}
	}
	return w.finiAll()
}

func someMutants(w *worker, m *method) error {
	w.at(m)
	sample := w.shared.sample(m)
	id, _, err := w.prepare(m, sample.orNone())
	if err != nil {
		return err
	}
	base, err := w.encode(sample.withoutBlobs(), m.box, id)
	if err != nil {
		return err
	}
	mutants := mutantsOf(base, w.random)
	step := max(1, len(mutants)/valgrindMutants)
	for i := 0; i < len(mutants); i += step {
		if _, err := callMutant(w, m, id, mutants[i]); err != nil {
			return err
		}
	}
	return nil
}

func valgrindFinding(e *valgrind.Error) Finding {
	places := make([]sourcePlace, len(e.Frames))
	for i, frame := range e.Frames {
		places[i] = sourcePlace{function: frame.Function, file: shownPath(frame.File), line: frame.Line}
	}
	place := authorsPlace(places)
	if place.file == "" {
		place = places[0]
	}
	f := Finding{Code: valgrindCode(e), Message: e.Message, Function: place.function, File: place.file, Line: place.line}
	for i, frame := range e.Frames {
		if frame.Heads != "" {
			f.Backtrace = append(f.Backtrace, frame.Heads)
		}
		frame.File = places[i].file
		f.Backtrace = append(f.Backtrace, frame.String())
	}
	return f
}

func valgrindCode(e *valgrind.Error) string {
	switch e.Kind {
	case "Leak_DefinitelyLost":
		return codeLeak
	case "InvalidFree", "MismatchedFree":
		return codeDoubleFree
	case "UninitCondition", "UninitValue", "SyscallParam":
		return codeUninitialised
	}
	switch {
	case e.Freed:
		return codeAfterFree
	case e.Kind == "InvalidRead":
		return codeInvalidRead
	}
	return codeInvalidWrite
}
