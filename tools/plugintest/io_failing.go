package plugintest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// canFail tells whether calls of the system can be made to fail in the box's library.
func (f *fileBox) canFail() bool {
	return f.plugin.cannotFail(f.config, f.runtime) == ""
}

// armed makes calls of which the first, s, has a call of the system that fails. A crash or a hang is
// reported, and ends the work.
func (f *fileBox) armed(t *fault, s step, run func() error) (seen faulted, err error) {
	if _, err := f.life.fault(t.number, t.mode); err != nil {
		return seen, exitAt("fault", err)
	}
	if err := run(); err != nil {
		var exit *exitError
		if t.number == noFault || !errors.As(err, &exit) || f.ctx.Err() != nil {
			return seen, err
		}
		if found, ok := f.faultFinding(&s, t, exit); ok {
			f.add(found)
		}
		return seen, errNoBirth
	}
	seen, err = f.life.fault(noFault, faultError)
	return seen, exitAt("fault", err)
}

// failuresIn are those that io brings about in these calls of the system. Memory is for failures: what
// is made of it where there is none is decided by the library as a whole.
func failuresIn(calls []string) []fault {
	return slices.DeleteFunc(faultsOf(calls), func(t fault) bool { return probe.Memory(t.name) })
}

// readFailing makes the call of a reader with each call of the system that it makes failing. A file that is
// read after all is right; part of it is not.
func (f *fileBox) readFailing(r *fileReader, path string, want []byte) error {
	if !f.canFail() {
		return nil
	}
	for _, size := range []int{contract.InitialResultSize, tlv.HeaderSize + tlv.EntryHeaderSize + len(want) - 1} {
		_, base, err := f.ask(r, path, want, size, &theFault)
		if err != nil {
			return err
		}
		for _, t := range failuresIn(base.Calls) {
			got, seen, err := f.ask(r, path, want, size, &t)
			if err != nil {
				return err
			}
			if wrong := otherBytes(&got, want); wrong != "" && seen.Fired != "" && !f.tells(r.m, got.a) {
				f.add(r.finding(path, want, fmt.Sprintf("it answered %s, where %v", wrong, &t)))
				return nil
			}
		}
	}
	return nil
}

// tells tells whether an answer may say that something has failed although it is a success.
func (f *fileBox) tells(m *method, a *answer) bool {
	if m.declared != nil && m.declared.ReturnsResult {
		return true
	}
	_, content := contentOf(a)
	v, ok := a.value()
	return ok && !content && !v.IsVoid()
}

// fileWriter is a method that appends its argument to the file that is open.
type fileWriter struct {
	m   *method
	tag tlv.Tag
}

// failingWrites is the length of what is written where something fails: enough for a half to differ.
const failingWrites = 1001

func writtenText() []byte {
	text := make([]byte, failingWrites)
	for i := range text {
		text[i] = byte('a' + i%23)
	}
	return text
}

// writers are the methods that write what they are given.
func (f *fileBox) writers() (all []fileWriter, err error) {
	data := writtenText()
	for _, m := range f.box.methods {
		if f.shared.broken[m] || m.name == "open" {
			continue
		}
		w := fileWriter{m: m, tag: f.content(nil).Tag()}
		one := func(values []tlv.Value) bool {
			if len(values) != 1 || !isText(values[0]) && !isBlob(values[0]) {
				return false
			}
			w.tag = values[0].Tag()
			return true
		}
		if m.name != "write" && !f.shared.takes(m, one) {
			continue
		}
		out, err := f.writeFailing(&w, data, &theFault, 0)
		if err != nil {
			return nil, err
		}
		if out.wrote && bytes.Equal(out.onDisk, data) {
			all = append(all, w)
		}
	}
	return all, nil
}

// wroteRun is what came of a file that was opened, written and closed.
type wroteRun struct {
	a      *answer
	key    answerKey
	flags  []answerKey // what methods say afterwards, but for how long the file is
	wrote  bool        // the write, and close after it, have succeeded
	onDisk []byte
	step   step
	seen   faulted
	closed faulted // the calls of the system that close makes
}

// writeFailing writes data to a new file with a call of the system failing in the write, and closes it.
func (f *fileBox) writeFailing(by *fileWriter, data []byte, t *fault, in layout) (out wroteRun, err error) {
	return f.writeAndClose(by, data, t, &theFault, in)
}

const failingPath = "failing"

func (f *fileBox) writeAndClose(by *fileWriter, data []byte, inWrite, inClose *fault, in layout) (out wroteRun, err error) {
	path := filepath.Join(f.dir, failingPath)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return out, fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	id, a, err := f.openOn(failingPath, "w")
	if err != nil || a.code != abi.OK {
		return out, err
	}
	value := textOf(by.tag, string(data))
	if by.tag == tlv.TagBlob {
		addr, err := f.lendBlob(data)
		if err != nil {
			return out, fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		value = tlv.Blob(addr, uint64(len(data)))
		defer f.takeBack(addr, len(data))
	}
	args := encode([]tlv.Value{value})
	out.step = by.m.step(id, args)
	out.seen, err = f.maybeArmed(inWrite, out.step, func() error {
		out.a, err = f.callIn(by.m, id, args, in)
		return err
	})
	if err != nil {
		return out, err
	}
	out.key = out.a.key()
	written, _ := os.ReadFile(path)
	if out.flags, err = f.flags(id, len(written)); err != nil {
		return out, err
	}
	var closing *answer
	out.closed, err = f.maybeArmed(inClose, f.box.method("close").step(id, emptyMessage), func() error {
		closing, err = f.call(f.box.method("close"), id, emptyMessage)
		return err
	})
	if err != nil {
		return out, err
	}
	after, err := f.flags(id, len(written))
	if err != nil {
		return out, err
	}
	out.flags = append(out.flags, after...)
	out.wrote = out.a.code == abi.OK && closing.code == abi.OK && !f.tellsNo(closing)
	if out.onDisk, err = os.ReadFile(path); err != nil {
		out.onDisk = nil
	}
	return out, f.fini(f.box, id)
}

// maybeArmed is armed where calls can be made to fail, and otherwise makes the calls alone.
func (f *fileBox) maybeArmed(t *fault, s step, run func() error) (seen faulted, err error) {
	if !f.canFail() {
		return seen, run()
	}
	return f.armed(t, s, run)
}

// tellsNo tells whether a success answers something that may say that it is none.
func (f *fileBox) tellsNo(a *answer) bool {
	v, ok := a.value()
	yes, err := v.Bool()
	return ok && !v.IsVoid() && (err != nil || !yes)
}

// flags are what methods without arguments answer about the instance, which may say that something has
// failed. Numbers that are the file's length say nothing of that.
func (f *fileBox) flags(id uint32, length int) (all []answerKey, err error) {
	for _, m := range f.looks {
		a, err := f.call(m, id, emptyMessage)
		if err != nil {
			return nil, err
		}
		k := a.key()
		v, _ := a.value()
		if n, err := v.Int(); err == nil && n == int64(length) {
			k.text = "the length"
		}
		all = append(all, k)
	}
	return all, nil
}

// findLooks finds the methods without arguments that leave a file alone which was just written.
func (f *fileBox) findLooks(data []byte) error {
	f.looks = nil
	var all []*method
	for _, m := range f.box.methods {
		if f.shared.broken[m] || f.shared.slow[m] || m.name == "read" || m.name == "close" || !f.shared.takesNothing(m) {
			continue
		}
		f.looks = []*method{m}
		run, err := f.writeFailing(&fileWriter{f.box.method("write"), f.content(nil).Tag()}, data, &theFault, 0)
		if err != nil {
			return err
		}
		if run.wrote && bytes.Equal(run.onDisk, data) {
			all = append(all, m)
		}
	}
	f.looks = all
	return nil
}

// failingFiles writes and closes files with calls of the system that fail, or write a part only. Where all
// that is answered is as where nothing fails, the file must be, too.
func (f *fileBox) failingFiles() error {
	if !f.canFail() {
		return nil
	}
	data := writtenText()
	if err := f.findLooks(data); err != nil {
		return err
	}
	all, err := f.writers()
	if err != nil {
		return err
	}
	for i := range all {
		if err := f.failingWriter(&all[i], data); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	return f.failingClose(&all[0], data)
}

func (f *fileBox) failingWriter(by *fileWriter, data []byte) error {
	base, err := f.writeFailing(by, data, &theFault, 0)
	if err != nil || !base.wrote || !bytes.Equal(base.onDisk, data) {
		return err
	}
	for _, t := range failuresIn(base.seen.Calls) {
		// Behind the arguments there is memory that can be read, or none.
		for _, in := range []layout{0, layoutAtStart} {
			run, err := f.writeFailing(by, data, &t, in)
			if err != nil {
				return err
			}
			if run.seen.Fired == "" || !run.wrote || run.key != base.key || !slices.Equal(run.flags, base.flags) || bytes.Equal(run.onDisk, data) {
				continue
			}
			found := run.step.finding(codeIO, "it answered %v where %v, and the file has %d bytes, %s", run.key, &t, len(run.onDisk), firstDifference(run.onDisk, data))
			found.Expected = fmt.Sprintf("the %d bytes that were to be written, or an answer that they are not", len(data))
			f.add(found)
			return nil
		}
	}
	return nil
}

// failingClose closes a file that was written, with calls of the system that fail. Where what was
// written is lost, close must tell. A failure of the system's close alone loses nothing here, and many do
// not look at it.
func (f *fileBox) failingClose(by *fileWriter, data []byte) error {
	base, err := f.writeFailing(by, data, &theFault, 0)
	if err != nil || !base.wrote {
		return err
	}
	for _, t := range failuresIn(base.closed.Calls) {
		run, err := f.writeAndClose(by, data, &theFault, &t, 0)
		if err != nil {
			return err
		}
		if run.closed.Fired == "" || !run.wrote || !slices.Equal(run.flags, base.flags) || bytes.Equal(run.onDisk, data) {
			continue
		}
		found := f.box.method("close").finding(codeIO, "it answered success where %v, and the file has %d bytes of %d that were written", &t, len(run.onDisk), len(data))
		found.Expected = "an error code: what was written is lost"
		f.add(found)
		return nil
	}
	return nil
}
