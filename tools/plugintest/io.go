package plugintest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// fileMethods are what a box must have for io.
var fileMethods = []string{"open", "write", "read", "close"}

// ioCheck writes and reads files with every box that has methods for that.
var ioCheck = check{name: "io", summary: "write and read files with boxes that have open, write, read and close", needs: needsFiles, run: checkFiles}

func checkFiles(e *env) error {
	if !slices.ContainsFunc(e.plugin.boxes, opensFiles) {
		e.skip("no box has %s", list(fileMethods, ""))
		return nil
	}
	for _, b := range e.plugin.boxes {
		if !opensFiles(b) {
			continue
		}
		if missing := missingFileMethods(b); len(missing) > 0 {
			e.skip("%s has no %s", b.name, list(missing, ""))
			continue
		}
		if err := e.learn(); err != nil {
			return err
		}
		if open := b.method("open"); !e.shared.takesPathAndMode(open) {
			e.skip("%v takes no path and mode: the box is not one of files", open)
			continue
		}
		if err := e.openLeft(b); err != nil {
			return err
		}
		for _, f := range []func(*fileBox) error{(*fileBox).sizes, (*fileBox).contents, (*fileBox).refusals, (*fileBox).twoInstances, (*fileBox).shortReads, (*fileBox).unknownSizes, (*fileBox).failingFiles, (*fileBox).readsAll, (*fileBox).copies} {
			err := e.withWorker(workerOptions{blobs: true}, func(w *worker) error {
				if err := f(&fileBox{worker: w, box: b}); err != nil {
					return err
				}
				return w.finiAll()
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// opensFiles tells whether a box may be one of files.
func opensFiles(b *box) bool { return b.method(fileMethods[0]) != nil }

func missingFileMethods(b *box) []string {
	return slices.DeleteFunc(slices.Clone(fileMethods), func(name string) bool { return b.method(name) != nil })
}

// takesPathAndMode reports whether a method works with two strings.
func (s *shared) takesPathAndMode(m *method) bool {
	return slices.ContainsFunc(s.samples[m], func(sample argSample) bool {
		v := sample.values
		return sample.works && len(v) == 2 && v[0].Tag() == tlv.TagString && v[1].Tag() == tlv.TagString
	})
}

// fileBox calls a box that has fileMethods.
type fileBox struct {
	*worker
	box   *box
	looks []*method // that tell of an instance and leave its file alone; see findLooks
}

// do calls a method by name.
func (f *fileBox) do(id uint32, name string, values ...tlv.Value) (*answer, error) {
	args, err := f.encode(values, f.box, id)
	if err != nil {
		return nil, err
	}
	return f.call(f.box.method(name), id, args)
}

// wrong reports that a method did not do what its name says.
func (f *fileBox) wrong(name, expected, format string, args ...any) {
	finding := f.box.method(name).finding(codeIO, format, args...)
	finding.Expected = expected
	f.add(finding)
}

// must calls a method that has to succeed.
func (f *fileBox) must(id uint32, name string, values ...tlv.Value) (a *answer, ok bool, err error) {
	a, err = f.do(id, name, values...)
	if err != nil {
		return nil, false, err
	}
	if a.code != abi.OK {
		args, _ := tlv.Encode(values...)
		f.wrong(name, "success", "%s(%s) answered %v", name, showArgs(args), a)
	}
	return a, a.code == abi.OK, nil
}

// fileCall is a call that has to succeed.
type fileCall struct {
	name   string
	values []tlv.Value
}

func open(path, mode string) fileCall {
	return fileCall{"open", []tlv.Value{tlv.String(path), tlv.String(mode)}}
}

func (f *fileBox) write(data []byte) fileCall {
	return fileCall{"write", []tlv.Value{f.content(data)}}
}

// mustAll is must for calls in order, up to one that fails.
func (f *fileBox) mustAll(id uint32, calls ...fileCall) (ok bool, err error) {
	for _, call := range calls {
		if _, ok, err := f.must(id, call.name, call.values...); err != nil || !ok {
			return ok, err
		}
	}
	return true, nil
}

// content is data as an argument of write, in the type that the box takes.
func (f *fileBox) content(data []byte) tlv.Value {
	if m := f.box.method("write"); m.declared != nil && len(m.declared.Args) == 1 && m.declared.Args[0].To == tlv.TagString {
		return tlv.String(string(data))
	}
	return tlv.Bytes(data)
}

// roundTrip writes data to a file, closes it, opens it again and reads it.
func (f *fileBox) roundTrip(path string, data []byte) error {
	id, err := f.birth(f.box)
	if err != nil {
		return err
	}
	if ok, err := f.mustAll(id, open(path, "w"), f.write(data), fileCall{name: "close"}, open(path, "r")); err != nil || !ok {
		return err
	}
	a, ok, err := f.must(id, "read")
	if err != nil || !ok {
		return err
	}
	v, _ := a.value()
	got, err := v.Bytes()
	if text, textErr := v.Text(); err != nil && textErr == nil {
		got = []byte(text)
	}
	if !bytes.Equal(got, data) {
		f.wrong("read", fmt.Sprintf("the %d bytes that were written", len(data)), "it returned %d bytes, %s", len(got), firstDifference(got, data))
	}
	if onDisk, err := os.ReadFile(filepath.Join(f.dir, path)); err == nil && !bytes.Equal(onDisk, data) {
		f.wrong("write", fmt.Sprintf("the %d bytes that were written", len(data)), "the file has %d bytes, %s", len(onDisk), firstDifference(onDisk, data))
	}
	if _, _, err := f.must(id, "close"); err != nil {
		return err
	}
	return f.fini(f.box, id)
}

func firstDifference(got, want []byte) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("and byte %d is %#02x where %#02x belongs", i, got[i], want[i])
		}
	}
	return "equal up to the shorter length"
}

// sizes writes and reads as many bytes as buffers and entries end at.
func (f *fileBox) sizes() error {
	for _, n := range []int{0, 1, 2, 255, 256, 4095, 4096, 4097, 65_527, 65_528, 65_529, 65_530, 65_531, 65_532, 65_533, 65_534, tlv.MaxPayload} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte('a' + i%23)
		}
		if err := f.roundTrip(fmt.Sprintf("size-%d", n), data); err != nil {
			return err
		}
	}
	// One entry cannot hold 65,536 bytes: two writes, and a read that may refuse.
	id, err := f.birth(f.box)
	if err != nil {
		return err
	}
	const path = "size-65536"
	z := bytes.Repeat([]byte{'z'}, tlv.MaxPayload)
	if ok, err := f.mustAll(id, open(path, "w"), f.write(z), f.write(z[:1]), fileCall{name: "close"}, open(path, "r")); err != nil || !ok {
		return err
	}
	a, err := f.do(id, "read")
	if err != nil {
		return err
	}
	if v, ok := a.value(); ok && v.Tag() != tlv.TagBlob && v.Len() != 65_536 && a.code == abi.OK {
		// Part of a file is right only if the next call returns the rest.
		rest, err := f.do(id, "read")
		if err != nil {
			return err
		}
		if more, ok := rest.value(); !ok || v.Len()+more.Len() != 65_536 {
			f.wrong("read", "65,536 bytes, in one or more parts, or an error code", "it returned %d bytes of a file of 65,536", v.Len())
		}
	}
	return nil
}

func (f *fileBox) contents() error {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, data := range map[string][]byte{"every-byte": all, "zeros": make([]byte, 100), "line-ends": []byte("a\r\nb\n\rc\r"), "utf-8": []byte("čau, 世界")} {
		if f.content(data).Tag() == tlv.TagString && name == "every-byte" {
			continue
		}
		if err := f.roundTrip(name, data); err != nil {
			return err
		}
	}
	return f.roundTrip("a name with spaces, ünïcode", []byte("x"))
}

// refusals makes calls that must fail; the instance must work afterwards.
func (f *fileBox) refusals() error {
	if err := os.Mkdir(filepath.Join(f.dir, "folder"), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	id, err := f.birth(f.box)
	if err != nil {
		return err
	}
	for _, refused := range []struct{ what, path, mode string }{
		{"a file that does not exist", "missing", "r"},
		{"a folder for writing", "folder", "w"},
		{"a path without its folder", "missing/folder/file", "w"},
		{"an empty path", "", "r"},
		{"a file that does not exist, and whose name is a format", formatName, "r"},
		{"a path with a NUL", "a\x00b", "w"},
		{"an invalid mode", "x", "sideways"},
	} {
		a, err := f.do(id, "open", tlv.String(refused.path), tlv.String(refused.mode))
		if err != nil {
			return err
		}
		f.checkWords(a)
		if a.code == abi.OK {
			f.wrong("open", "an error code", "it opened %s: open(%q, %q)", refused.what, refused.path, refused.mode)
			if _, err := f.do(id, "close"); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"read", "close"} {
		if _, err := f.do(id, name); err != nil { // not open; any code is allowed
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, "a")); err == nil {
		f.wrong("open", "an error code", "a path with a NUL was cut at the NUL")
	}
	return f.roundTrip("after refusals", []byte("still works"))
}

// shortReads reads a file with result buffers that are too short, and just long
// enough.
func (f *fileBox) shortReads() error {
	const size = 40
	id, err := f.birth(f.box)
	if err != nil {
		return err
	}
	if ok, err := f.mustAll(id, open("short", "w"), f.write(bytes.Repeat([]byte{'s'}, size)), fileCall{name: "close"}); err != nil || !ok {
		return err
	}
	for resultSize := range tlv.HeaderSize + tlv.EntryHeaderSize + size + 2 {
		if ok, err := f.mustAll(id, open("short", "r")); err != nil || !ok {
			return err
		}
		if _, err := callShort(f.worker, f.box.method("read").step(id, emptyMessage).withResultSize(resultSize)); err != nil {
			return err
		}
		if ok, err := f.mustAll(id, fileCall{name: "close"}); err != nil || !ok {
			return err
		}
	}
	return nil
}

// twoInstances reads one file with two instances.
func (f *fileBox) twoInstances() error {
	writer, err := f.birth(f.box)
	if err != nil {
		return err
	}
	reader, err := f.birth(f.box)
	if err != nil {
		return err
	}
	const path = "shared"
	if ok, err := f.mustAll(writer, open(path, "w"), f.write([]byte("first")), fileCall{name: "close"}, open(path, "r")); err != nil || !ok {
		return err
	}
	if ok, err := f.mustAll(reader, open(path, "r")); err != nil || !ok {
		return err
	}
	for _, id := range []uint32{writer, reader} {
		a, ok, err := f.must(id, "read")
		if err != nil || !ok {
			return err
		}
		if v, _ := a.value(); v.Len() != len("first") {
			f.wrong("read", "first, for both instances", "two instances read one file, and one got %v", a)
		}
		if _, _, err := f.must(id, "close"); err != nil {
			return err
		}
	}
	return nil
}
