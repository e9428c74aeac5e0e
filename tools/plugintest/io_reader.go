package plugintest

import (
	"bytes"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// fileReader is a call that may answer the content of the file that is open, or a range of it.
type fileReader struct {
	m      *method
	whole  bool
	tags   [2]tlv.Tag // of a range's offset and length
	offset int
	length int
}

// readersOf are the calls without arguments and with two integers of a box's methods, for a file of this
// size. Which of them answer its content is seen on an ordinary file.
func (f *fileBox) readersOf(size int) (all []fileReader) {
	for _, m := range f.box.methods {
		if f.shared.broken[m] || f.shared.slow[m] || m.name == "open" || m.name == "write" || m.name == "close" {
			continue
		}
		if m.name == "read" || f.shared.takesNothing(m) {
			all = append(all, fileReader{m: m, whole: true, length: size})
		}
		for _, s := range f.shared.samples[m] {
			if len(s.values) != 2 || !isInteger(s.values[0]) || !isInteger(s.values[1]) {
				continue
			}
			tags := [2]tlv.Tag{s.values[0].Tag(), s.values[1].Tag()}
			for _, at := range [][2]int{{0, min(size, tlv.MaxPayload)}, {size / 2, 100}, {max(0, size-10), 50}} {
				all = append(all, fileReader{m: m, tags: tags, offset: at[0], length: at[1]})
			}
			break
		}
	}
	return all
}

// takes tells whether a method has a sample with such arguments.
func (s *shared) takes(m *method, such func([]tlv.Value) bool) bool {
	for _, sample := range s.samples[m] {
		if such(sample.values) {
			return true
		}
	}
	return false
}

func (s *shared) takesNothing(m *method) bool {
	return s.takes(m, func(values []tlv.Value) bool { return len(values) == 0 })
}

func isInteger(v tlv.Value) bool { return v.Tag() == tlv.TagInt32 || v.Tag() == tlv.TagInt64 }

// of is the part of a file's content that the call is for.
func (r *fileReader) of(data []byte) []byte {
	return data[min(r.offset, len(data)):min(r.offset+r.length, len(data))]
}

func (r *fileReader) values() []tlv.Value {
	if r.whole {
		return nil
	}
	return []tlv.Value{numbersOf(r.tags[0], []int64{int64(r.offset)}, nil)[0], numbersOf(r.tags[1], []int64{int64(r.length)}, nil)[0]}
}

func (r *fileReader) String() string {
	args, _ := tlv.Encode(r.values()...)
	return fmt.Sprintf("%s(%s)", r.m.name, showArgs(args))
}

// contentOf is what an answer has of bytes: text, bytes, or those of a blob.
func contentOf(a *answer) (data []byte, ok bool) {
	v, ok := a.value()
	switch {
	case !ok:
		return nil, false
	case isBlob(v):
		return a.blob, true
	case isText(v):
		return []byte(v.Data()), true
	}
	return nil, false
}

// openOn opens a file on a new instance; a is the answer.
func (f *fileBox) openOn(path, mode string) (id uint32, a *answer, err error) {
	if id, err = f.birth(f.box); err != nil {
		return 0, nil, err
	}
	a, err = f.do(id, "open", tlv.String(path), tlv.String(mode))
	return id, a, err
}

// maxParts is how many calls read one file.
const maxParts = 200

// asked is what a reader answers.
type asked struct {
	a    *answer // nil where the file was not opened
	data []byte
	ok   bool // it has answered data
}

func (r *asked) refused() bool { return r.a == nil || failed(r.a.code) }

// ask opens a file on a new instance, makes the call, and ends the instance. resultSize is that of its first
// result buffer, and t what fails in it. A reader may answer a file in parts, each with the next call:
// where want begins with what was answered, the calls go on.
func (f *fileBox) ask(r *fileReader, path string, want []byte, resultSize int, t *fault) (out asked, seen faulted, err error) {
	id, a, err := f.openOn(path, "r")
	if err != nil {
		return out, seen, err
	}
	if a.code != abi.OK {
		return out, seen, f.fini(f.box, id)
	}
	args := encode(r.values())
	run := func() error {
		out.a, err = callShort(f.worker, r.m.step(id, args).withResultSize(resultSize))
		return err
	}
	if t == nil {
		err = run()
	} else {
		seen, err = f.armed(t, r.m.step(id, args), run)
	}
	if err != nil {
		return out, seen, err
	}
	out.data, out.ok = contentOf(out.a)
	rest := *r
	for range maxParts {
		if n := len(out.data); !out.ok || n == 0 || n >= len(want) || !bytes.HasPrefix(want, out.data) {
			break
		} else if !r.whole {
			rest.offset, rest.length = r.offset+n, r.length-n
		}
		a, err := f.call(r.m, id, encode(rest.values()))
		if err != nil {
			return out, seen, err
		}
		more, ok := contentOf(a)
		if !ok || len(more) == 0 {
			break
		}
		out.data = append(out.data, more...)
	}
	return out, seen, f.fini(f.box, id)
}
