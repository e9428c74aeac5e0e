package plugintest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// copyRun is what came of a call that is given another open file of the box.
type copyRun struct {
	a      *answer // nil where a file was not opened
	key    answerKey
	flags  []answerKey
	closed bool // and so is the file that was written
	onDisk []byte
	step   step
	seen   faulted
}

const (
	copySource = "copied"
	copyTarget = "target"
)

// copyWith calls a method of a file that is open for writing, and has had something written, with another
// that is open for reading. With refused a call has failed in the library before.
func (f *fileBox) copyWith(m *method, before []byte, refused bool, t *fault) (out copyRun, err error) {
	to, a, err := f.openOn(copyTarget, "w")
	if err != nil || a.code != abi.OK {
		return out, err
	}
	if len(before) > 0 {
		if ok, err := f.mustAll(to, f.write(before)); err != nil || !ok {
			return out, err
		}
	}
	from, a, err := f.openOn(copySource, "r")
	if err != nil || a.code != abi.OK {
		return out, err
	}
	if refused { // on the thread of the copy, which has the system's error then
		other, err := f.birth(f.box)
		if err != nil {
			return out, err
		}
		missing := encode([]tlv.Value{tlv.String("missing"), tlv.String("r")})
		if _, err := f.callIn(f.box.method("open"), other, missing, layoutOneThread); err != nil {
			return out, err
		}
	}
	args := encode([]tlv.Value{tlv.HandleValue(tlv.Handle{Type: f.box.typeID, Instance: from})})
	out.step = m.step(to, args)
	out.seen, err = f.maybeArmed(t, out.step, func() error {
		out.a, err = f.callIn(m, to, args, layoutOneThread)
		return err
	})
	if err != nil {
		return out, err
	}
	out.key = out.a.key()
	written, _ := os.ReadFile(filepath.Join(f.dir, copyTarget))
	if out.flags, err = f.flags(to, len(written)); err != nil {
		return out, err
	}
	if a, err = f.do(to, "close"); err != nil {
		return out, err
	}
	out.closed = a.code == abi.OK && !f.tellsNo(a)
	if out.onDisk, err = os.ReadFile(filepath.Join(f.dir, copyTarget)); err != nil {
		out.onDisk = nil
	}
	return out, f.finiAll()
}

func (out *copyRun) succeeded() bool { return out.a != nil && out.a.code == abi.OK && out.closed }

// takesFile tells whether a method takes an instance of its own box.
func (f *fileBox) takesFile(m *method) bool {
	return !f.shared.broken[m] && f.shared.takes(m, func(values []tlv.Value) bool {
		return len(values) == 1 && f.plugin.sampled(values[0], f.box) == f.box
	})
}

// copies tries methods that copy from another open file of the box, as far as they do so into an empty one.
func (f *fileBox) copies() error {
	if f.box.singleton {
		return nil
	}
	source := bytes.Repeat([]byte("0123456789abcdef\n"), 18)
	for _, m := range f.box.methods {
		if !f.takesFile(m) {
			continue
		}
		if err := f.writeSource(source); err != nil {
			return err
		}
		base, err := f.copyWith(m, nil, false, &theFault)
		if err != nil {
			return err
		}
		if !base.succeeded() || !bytes.Equal(base.onDisk, source) {
			continue
		}
		f.shared.failing = slices.DeleteFunc(f.shared.failing, func(fails *method) bool { return fails == m })
		if err := f.copyCases(m, source); err != nil {
			return err
		}
	}
	return nil
}

func (f *fileBox) writeSource(data []byte) error {
	if err := os.WriteFile(filepath.Join(f.dir, copySource), data, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	return nil
}

func (f *fileBox) copyCases(m *method, source []byte) error {
	if err := f.copyRefused(m); err != nil {
		return err
	}
	for _, before := range []string{"was here", strings.Repeat("longer than the other", 40)} {
		for _, refused := range []bool{false, true} {
			run, err := f.copyWith(m, []byte(before), refused, &theFault)
			if err != nil {
				return err
			}
			if !run.succeeded() && !refused {
				break // it copies into an empty file alone
			}
			if right, err := f.checkCopy(m, source, []byte(before), &run, refused); err != nil || !right {
				return err
			}
		}
	}
	if err := f.copyFailing(m, source); err != nil {
		return err
	}
	for _, size := range []int{0, 1, 4096, 65_536, 131_072, 131_073, 300_001} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte('a' + i%23)
		}
		if err := f.writeSource(data); err != nil {
			return err
		}
		run, err := f.copyWith(m, nil, false, &theFault)
		if err != nil {
			return err
		}
		if run.succeeded() && !bytes.Equal(run.onDisk, data) {
			f.wrongCopy(&run, fmt.Sprintf("the %d bytes of the other file", size), "it answered %v, and the file has %d bytes, %s", run.key, len(run.onDisk), firstDifference(run.onDisk, data))
			return nil
		}
	}
	return nil
}

// checkCopy looks at a file with something in it after a copy: the other's content is there instead of that,
// behind it, or in the place of its beginning. A call that failed before makes no difference.
func (f *fileBox) checkCopy(m *method, source, before []byte, run *copyRun, refused bool) (right bool, err error) {
	if refused && run.a != nil && failed(run.a.code) {
		again, err := f.copyWith(m, before, true, &theFault)
		if err != nil || again.key != run.key {
			return err == nil, err
		}
		f.wrongCopy(run, "success, as without that", "it answered %v after a call of open on another instance that failed", run.key)
		return false, nil
	}
	over := append(slices.Clone(source), before[min(len(before), len(source)):]...)
	behind := append(slices.Clone(before), source...)
	if !run.succeeded() || bytes.Equal(run.onDisk, source) || bytes.Equal(run.onDisk, over) || bytes.Equal(run.onDisk, behind) {
		return true, nil
	}
	f.wrongCopy(run, fmt.Sprintf("the %d bytes of the other file, in the place of what was written before or behind it", len(source)),
		"it answered %v, and the file has %d bytes, %s", run.key, len(run.onDisk), firstDifference(run.onDisk, source))
	return false, nil
}

func (f *fileBox) wrongCopy(run *copyRun, expected, format string, args ...any) {
	found := run.step.finding(codeIO, format, args...)
	found.Expected = expected
	f.add(found)
}

// copyFailing copies with calls of the system that fail: what succeeds must have copied.
func (f *fileBox) copyFailing(m *method, source []byte) error {
	if !f.canFail() {
		return nil
	}
	if err := f.findLooks(source); err != nil {
		return err
	}
	before := bytes.Repeat([]byte("before "), 100)
	base, err := f.copyWith(m, before, false, &theFault)
	if err != nil || !base.succeeded() {
		return err
	}
	for _, t := range failuresIn(base.seen.Calls) {
		run, err := f.copyWith(m, before, false, &t)
		if err != nil {
			return err
		}
		if run.seen.Fired == "" || !run.succeeded() || run.key != base.key || !slices.Equal(run.flags, base.flags) || bytes.Equal(run.onDisk, base.onDisk) {
			continue
		}
		f.wrongCopy(&run, fmt.Sprintf("the %d bytes that it has otherwise, or an answer that they are not there", len(base.onDisk)),
			"it answered %v where %v, and the file has %d bytes, %s", run.key, &t, len(run.onDisk), firstDifference(run.onDisk, base.onDisk))
		return nil
	}
	return nil
}

// formatName is a name that crashes what takes it for a format of printf.
const formatName = "100%s%s%s%s%s%s%s%s%s%n.txt"

// copyRefused copies from what is no regular file, which may be refused: its name is no format.
func (f *fileBox) copyRefused(m *method) error {
	path := filepath.Join(f.dir, formatName)
	if err := os.Symlink(os.DevNull, path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil // the system has no links
	}
	to, a, err := f.openOn(copyTarget, "w")
	if err != nil || a.code != abi.OK {
		return err
	}
	from, a, err := f.openOn(formatName, "r")
	if err != nil || a.code != abi.OK {
		return err
	}
	args := encode([]tlv.Value{tlv.HandleValue(tlv.Handle{Type: f.box.typeID, Instance: from})})
	if _, err := f.call(m, to, args); err != nil {
		return err
	}
	return f.finiAll()
}

// readsAll calls readAll of files that were just opened, where the box has that and it takes no arguments.
func (f *fileBox) readsAll() error {
	m := f.box.method("readAll")
	if m == nil || f.shared.broken[m] || !f.shared.takesNothing(m) {
		return nil
	}
	const path = "all"
	for _, text := range []string{"one line", ""} {
		if err := os.WriteFile(filepath.Join(f.dir, path), []byte(text), 0o600); err != nil {
			return fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		got, _, err := f.ask(&fileReader{m: m, whole: true, length: len(text)}, path, nil, contract.InitialResultSize, nil)
		if err != nil {
			return err
		}
		if got.a != nil && (failed(got.a.code) || got.ok && string(got.data) != text) {
			f.wrong(m.name, fmt.Sprintf("the content of the file, %q", text), "it answered %v", got.a)
			return nil
		}
	}
	return nil
}
