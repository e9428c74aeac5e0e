package plugintest

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nyash-plugins/nyash-go/tools/plugintest/valgrind"
)

// maxWatched is how many sequences are played under valgrind, of those that have shown
// something new.
const maxWatched = 25

// underValgrind plays the sequences that have shown something new under valgrind, and shutdown
// with instances alive after them.
func (x *exploration) underValgrind() error {
	if x.plugin.module || x.config.NoMemcheck || !valgrind.Installed() || x.ctx.Err() != nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "plugin-tester-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	own, _ := x.alone()
	w, err := own.start(workerOptions{wrapper: valgrind.Command(filepath.Join(dir, "%p.xml")), slow: valgrindSlow, quiet: true})
	if w == nil || err != nil {
		return err
	}
	for i := range x.corpus {
		ops := x.corpus[len(x.corpus)-1-i]
		if i >= maxWatched || len(ops) == 0 || x.ctx.Err() != nil {
			break
		}
		p := newPlayer(w, ops, ordinary)
		for k := range ops {
			if _, err := p.op(k); err != nil {
				break
			}
		}
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
			x.add(valgrindFinding(&all[i]))
		}
	}
	return nil
}
