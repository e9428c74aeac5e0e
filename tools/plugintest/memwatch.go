package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/valgrind"
)

// maxWatched is how many sequences are played under valgrind, of those that have shown
// something new.
const maxWatched = 25

// leastWatched is how long they are played at least, however long it took to start, where there is
// twice that for all.
const leastWatched = 3 * time.Second

// watches tells whether sequences are played under valgrind.
func (x *exploration) watches() bool {
	return !x.plugin.module && !x.shared.endsOthers && !x.config.NoMemcheck && valgrind.Installed()
}

// underValgrind plays the sequences that have shown something new with a box under valgrind,
// until a time, and shutdown with instances alive after them.
func (x *exploration) underValgrind(b *box, until time.Time) error {
	corpus := slices.DeleteFunc(slices.Clone(x.corpus), func(s sequence) bool {
		return !slices.ContainsFunc(s, func(o op) bool { return o.m.box == b })
	})
	if !x.watches() || x.ctx.Err() != nil || len(corpus) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "plugin-tester-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	defer func() { _ = files.RemoveAll(dir) }()
	own, _ := x.alone()
	w, err := own.start(workerOptions{wrapper: valgrind.Command(filepath.Join(dir, "%p.xml")), slow: valgrindSlow, quiet: true})
	if w == nil || err != nil {
		return err
	}
	if least := time.Now().Add(x.least(leastWatched)); until.Before(least) {
		until = least
	}
	for i := range corpus {
		ops := corpus[len(corpus)-1-i]
		if i >= maxWatched || x.ctx.Err() != nil || i > 0 && time.Now().After(until) {
			break
		}
		newPlayer(w, nil, ops, ordinary).calls(until)
		if w.life.Lost() || i%2 == 0 && ignoreBirth(w.finiAll()) != nil {
			break
		}
	}
	w.close()
	x.counted(own.check.Calls)
	reports, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	for _, report := range reports {
		all, err := valgrind.Read(report, x.config.File)
		if err != nil {
			return err
		}
		for i := range all {
			x.addWatched(valgrindFinding(&all[i]))
		}
	}
	return nil
}
