package plugintest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// What opens a file and then refuses what is in it may forget to close it. No text that is invented is
// the path of a file, so that methods with texts are given such as are.

const (
	pathPlays  = 25 // of a round, each on an instance of its own
	pathRounds = 8
	pathFile   = "notes.txt" // in the worker's folder
)

// pathText is in the file: it is of no format.
var pathText = []byte("This is a file of notes.\nIt has two lines.\n")

// paths is the part of lifecycleCheck that calls methods with the paths of a folder and of a file, and
// reports descriptors that stay open.
func paths(e *env) error {
	if err := e.learn(); err != nil {
		return err
	}
	for _, m := range e.plugin.methods() {
		for _, sample := range e.shared.samples[m] {
			for i, v := range sample.values {
				for _, path := range []string{".", pathFile} {
					if !isText(v) || !e.shared.callable(m) || e.has(codeFiles, m) {
						continue
					}
					e.at(m)
					given := sample
					given.values = slices.Clone(sample.values)
					given.values[i] = textOf(v.Tag(), path)
					o := workerOptions{plain: true, survey: true, brief: true}
					if err := e.withWorker(o, func(w *worker) error { return w.filesLeft(m, given) }); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// filesLeft makes a call on many instances that are ended, and reports descriptors that each leaves open.
func (w *worker) filesLeft(m *method, sample argSample) error {
	left, err := w.leftOpen(m, func() error { return w.callWithPath(m, sample) })
	if left == 0 || err != nil {
		return err
	}
	s := m.step(1, w.plugin.example(sample, m.box))
	what := "a folder"
	if slices.ContainsFunc(sample.values, func(v tlv.Value) bool { return isText(v) && v.Data() == pathFile }) {
		what = "a file"
	}
	w.add(s.finding(codeFiles, "%d calls with the path of %s leave %s open, after fini too", pathRounds*pathPlays, what, plural(left, "descriptor")))
	return nil
}

// leftOpen is how many descriptors are open after pathRounds of pathPlays, which end their instances; 0 where
// not each of them leaves one, or it takes too long.
func (w *worker) leftOpen(m *method, play func() error) (int, error) {
	start, open := time.Now(), make([]int, 0, pathRounds+1)
	for range pathRounds + 1 {
		state, err := w.processState(m, false)
		if err != nil {
			if errors.Is(err, errNoState) {
				return 0, nil
			}
			return 0, err
		}
		if open = append(open, state.Now.Files); len(open) > 1 && leastGrowth(open) < pathPlays {
			return 0, nil
		}
		if len(open) > pathRounds {
			break
		}
		for range pathPlays {
			if time.Since(start) > slowTime {
				return 0, nil
			}
			if err := play(); err != nil {
				return 0, err
			}
		}
	}
	return open[pathRounds] - open[0], nil
}

// callWithPath makes a call where there is a file.
func (w *worker) callWithPath(m *method, sample argSample) error {
	if err := w.emptyDir(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.dir, pathFile), pathText, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	id, args, err := w.prepare(m, sample)
	if err != nil {
		return err
	}
	if _, err := w.call(m, id, args); err != nil {
		return err
	}
	return w.finiAll()
}
