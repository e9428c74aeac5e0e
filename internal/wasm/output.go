package wasm

import (
	"bytes"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// output logs what a module prints, a line at a time. Who has the module's turn uses it.
type output struct {
	sink hostvtable.Sink
	look func()
	line []byte // of which the end has not been seen
}

// maxOutputLine is where a line is cut, in bytes.
const maxOutputLine = 4 << 10

func newOutput(sink hostvtable.Sink, look func()) *output { return &output{sink: sink, look: look} }

// Write takes all.
func (o *output) Write(text []byte) (int, error) {
	return inPieces(o.look, text, func(piece []byte, _ int) (int, error) {
		o.add(piece)
		return len(piece), nil
	})
}

func (o *output) add(text []byte) {
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		part, rest := text, []byte(nil)
		if end >= 0 {
			part, rest = text[:end], text[end+1:]
		}
		if room := maxOutputLine - len(o.line); len(part) > room {
			end, part, rest = 0, part[:room], text[room:]
		}
		o.line = append(o.line, part...)
		text = rest
		if end >= 0 {
			o.put()
		}
	}
}

func (o *output) put() {
	if o.sink != nil {
		o.sink.PluginLog(abi.LogInfo, contract.Printable(string(o.line)), true)
	}
	o.line = o.line[:0]
}

// flush logs a line that has no end.
func (o *output) flush() {
	if len(o.line) > 0 {
		o.put()
	}
}
