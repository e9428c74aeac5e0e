package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nyash-plugins/nyash-go/abi"
)

// openLeft calls the methods without arguments on files that are open, and reports descriptors that stay open
// when all instances are ended: those of the files, and of what the methods have opened.
func (e *env) openLeft(b *box) error {
	open := b.method("open")
	if e.has(codeFiles, open) || e.has(codeFiles, b.fini) {
		return nil
	}
	if left, err := e.leftOpenBy(open); left || err != nil {
		return err
	}
	for _, m := range b.methods {
		if !e.shared.callable(m) || e.has(codeFiles, m) || m == open || m.name == "write" || !e.shared.takesNothing(m) {
			continue
		}
		if _, err := e.leftOpenBy(m); err != nil {
			return err
		}
	}
	return nil
}

// leftOpenBy reports descriptors that stay open after calls of a method of files that are open, or after open
// alone.
func (e *env) leftOpenBy(m *method) (found bool, err error) {
	o := workerOptions{plain: true, survey: true, brief: true}
	err = e.withWorker(o, func(w *worker) error {
		f := &fileBox{worker: w, box: m.box}
		left, err := w.leftOpen(m, func() error { return f.callOpen(m) })
		if found = left > 0; found && err == nil {
			s := m.step(1, emptyMessage)
			w.add(s.finding(codeFiles, "%d calls on an instance with an open file leave %s open, after fini too", pathRounds*pathPlays, plural(left, "descriptor")))
		}
		return err
	})
	return found, err
}

// callOpen calls a method of a file that is open, and ends all instances.
func (f *fileBox) callOpen(m *method) error {
	if err := os.WriteFile(filepath.Join(f.dir, pathFile), pathText, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	id, a, err := f.openOn(pathFile, "r")
	if err != nil {
		return err
	}
	if a.code == abi.OK && m.name != "open" {
		if _, err := f.call(m, id, emptyMessage); err != nil {
			return err
		}
	}
	return f.finiAll()
}

// checkWords looks at the message of a file that could not be opened: the system's words for that, where it has
// them, have all their letters.
func (f *fileBox) checkWords(a *answer) {
	text, ok := a.message()
	if !ok {
		return
	}
	words := syscall.ENOENT.Error()
	if has := strings.ToLower(text); strings.Contains(has, words[1:]) && !strings.Contains(has, words) {
		found := f.box.method("open").finding(codeErrorMessage, "the message of %v is not the system's %q", a, words)
		found.Expected = "the system's words as they are"
		f.add(found)
	}
}
