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

// io writes and reads files with every box that has methods for that.
func (t *Tester) io() error {
	for _, b := range t.boxes {
		missing := slices.DeleteFunc(slices.Clone(fileMethods), func(name string) bool { return b.method(name) != nil })
		if len(missing) > 0 {
			t.skip("%s has no %s", b.name, list(missing, ""))
			continue
		}
		if err := t.learn(); err != nil {
			return err
		}
		if !b.method("open").takesPathAndMode() {
			t.skip("%s.open takes no path and mode: its methods are not those of files", b.name)
			continue
		}
		for _, f := range []func(*fileBox) error{(*fileBox).sizes, (*fileBox).contents, (*fileBox).refusals, (*fileBox).twoOnOne, (*fileBox).shortReads} {
			err := t.scenario(rigOptions{}, func(r *rig) error {
				if err := f(&fileBox{r, b}); err != nil {
					return err
				}
				return r.finiAll()
			})
			if err := t.ignoreBirth(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// takesPathAndMode tells whether a method works with two strings.
func (m *method) takesPathAndMode() bool {
	return slices.ContainsFunc(m.known, func(k known) bool {
		return k.works && len(k.values) == 2 && k.values[0].Tag() == tlv.TagString && k.values[1].Tag() == tlv.TagString
	})
}

// fileBox calls a box that has the methods of files.
type fileBox struct {
	*rig
	box *box
}

// do calls a method by name.
func (f *fileBox) do(id uint32, name string, values ...tlv.Value) (*answer, error) {
	return f.call(f.box.method(name), id, f.encode(values, f.box, id))
}

// wrong tells that a method did not do what its name says.
func (f *fileBox) wrong(name, expected, format string, args ...any) {
	f.t.add(Finding{Code: codeIO, Box: f.box.name, Method: name, Expected: expected, Message: fmt.Sprintf(format, args...)})
}

// must calls a method that has to succeed.
func (f *fileBox) must(id uint32, name string, values ...tlv.Value) (a *answer, ok bool, err error) {
	a, err = f.do(id, name, values...)
	if err != nil {
		return nil, false, err
	}
	if a.code != abi.OK {
		args, _ := tlv.Encode(values...)
		f.wrong(name, "0", "%s(%s) answered %v", name, showArgs(args), a)
	}
	return a, a.code == abi.OK, nil
}

// content is the argument of write and what read returns, in the type that the
// box takes.
func (f *fileBox) content(data []byte) tlv.Value {
	if m := f.box.method("write"); m.declared != nil && len(m.declared.Args) == 1 && m.declared.Args[0].To == tlv.TagString {
		return tlv.String(string(data))
	}
	return tlv.Bytes(data)
}

// roundTrip writes data to a file, closes it, and reads it with another instance.
func (f *fileBox) roundTrip(path string, data []byte) error {
	writer, err := f.born(f.box)
	if err != nil {
		return err
	}
	for _, call := range []struct {
		name   string
		values []tlv.Value
	}{
		{"open", []tlv.Value{tlv.String(path), tlv.String("w")}},
		{"write", []tlv.Value{f.content(data)}},
		{"close", nil},
		{"open", []tlv.Value{tlv.String(path), tlv.String("r")}},
	} {
		if _, ok, err := f.must(writer, call.name, call.values...); err != nil || !ok {
			return err
		}
	}
	a, ok, err := f.must(writer, "read")
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
	if _, _, err := f.must(writer, "close"); err != nil {
		return err
	}
	return f.fini(f.box, writer)
}

func firstDifference(got, want []byte) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("and byte %d is %#02x where %#02x was written", i, got[i], want[i])
		}
	}
	return "the same as far as they go"
}

// sizes are those at which buffers and entries end.
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
	id, err := f.born(f.box)
	if err != nil {
		return err
	}
	if _, ok, err := f.must(id, "open", tlv.String("size-65536"), tlv.String("w")); err != nil || !ok {
		return err
	}
	for _, n := range []int{65_535, 1} {
		if _, ok, err := f.must(id, "write", f.content(bytes.Repeat([]byte{'z'}, n))); err != nil || !ok {
			return err
		}
	}
	for _, call := range [][]tlv.Value{nil, {tlv.String("size-65536"), tlv.String("r")}} {
		name := "close"
		if call != nil {
			name = "open"
		}
		if _, ok, err := f.must(id, name, call...); err != nil || !ok {
			return err
		}
	}
	a, err := f.do(id, "read")
	if err != nil {
		return err
	}
	if v, ok := a.value(); ok && v.Tag() != tlv.TagBlob && v.Len() != 65_536 && a.code == abi.OK {
		// Part of a file is no answer, unless the rest comes with the next.
		rest, err := f.do(id, "read")
		if err != nil {
			return err
		}
		if more, ok := rest.value(); !ok || v.Len()+more.Len() != 65_536 {
			f.wrong("read", "65,536 bytes, in parts if need be, or a code", "it returned %d bytes of a file of 65,536", v.Len())
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

// refusals are what must be refused and must not hurt the instance.
func (f *fileBox) refusals() error {
	if err := os.Mkdir(filepath.Join(f.dir, "folder"), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	id, err := f.born(f.box)
	if err != nil {
		return err
	}
	for _, refused := range []struct{ what, path, mode string }{
		{"a file that does not exist", "missing", "r"},
		{"a folder for writing", "folder", "w"},
		{"a path without its folder", "missing/folder/file", "w"},
		{"an empty path", "", "r"},
		{"a path with a NUL", "a\x00b", "w"},
		{"a mode that there is not", "x", "sideways"},
	} {
		a, err := f.do(id, "open", tlv.String(refused.path), tlv.String(refused.mode))
		if err != nil {
			return err
		}
		if a.code == abi.OK {
			f.wrong("open", "a code", "it opened %s: open(%q, %q)", refused.what, refused.path, refused.mode)
			if _, err := f.do(id, "close"); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"read", "close"} {
		if _, err := f.do(id, name); err != nil { // not open; any code will do
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, "a")); err == nil {
		f.wrong("open", "a code", "a path with a NUL was cut at it, and another file made")
	}
	return f.roundTrip("after refusals", []byte("still well"))
}

// shortReads reads a file with too little room, and with just enough.
func (f *fileBox) shortReads() error {
	const size = 40
	id, err := f.born(f.box)
	if err != nil {
		return err
	}
	calls := []struct {
		name   string
		values []tlv.Value
	}{
		{"open", []tlv.Value{tlv.String("short"), tlv.String("w")}},
		{"write", []tlv.Value{f.content(bytes.Repeat([]byte{'s'}, size))}},
		{"close", nil},
	}
	for _, call := range calls {
		if _, ok, err := f.must(id, call.name, call.values...); err != nil || !ok {
			return err
		}
	}
	for room := range tlv.HeaderSize + tlv.EntryHeaderSize + size + 2 {
		if _, ok, err := f.must(id, "open", tlv.String("short"), tlv.String("r")); err != nil || !ok {
			return err
		}
		if err := f.shortBuffer(f.box.method("read"), id, emptyMessage, room); err != nil {
			return err
		}
		if _, ok, err := f.must(id, "close"); err != nil || !ok {
			return err
		}
	}
	return nil
}

// twoOnOne has two instances use one file.
func (f *fileBox) twoOnOne() error {
	writer, err := f.born(f.box)
	if err != nil {
		return err
	}
	reader, err := f.born(f.box)
	if err != nil {
		return err
	}
	for _, call := range []struct {
		id     uint32
		name   string
		values []tlv.Value
	}{
		{writer, "open", []tlv.Value{tlv.String("shared"), tlv.String("w")}},
		{writer, "write", []tlv.Value{f.content([]byte("first"))}},
		{writer, "close", nil},
		{writer, "open", []tlv.Value{tlv.String("shared"), tlv.String("r")}},
		{reader, "open", []tlv.Value{tlv.String("shared"), tlv.String("r")}},
	} {
		if _, ok, err := f.must(call.id, call.name, call.values...); err != nil || !ok {
			return err
		}
	}
	for _, id := range []uint32{writer, reader} {
		a, ok, err := f.must(id, "read")
		if err != nil || !ok {
			return err
		}
		if v, _ := a.value(); v.Len() != len("first") {
			f.wrong("read", "first, for both", "two instances read one file, and one of them got %v", a)
		}
		if _, _, err := f.must(id, "close"); err != nil {
			return err
		}
	}
	return nil
}
