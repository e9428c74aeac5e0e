package process

import (
	"bufio"
	"encoding/binary"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// maxOutputLine is where a line that the plugin prints is cut, in bytes.
const maxOutputLine = 4 << 10

// readOutput logs what the plugin prints.
func (s *Session) readOutput(r *os.File) {
	defer close(s.outputDone)
	defer r.Close()
	lines := bufio.NewReaderSize(r, maxOutputLine)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		text := clean(line)
		s.mu.Lock()
		s.printed = text
		s.mu.Unlock()
		s.plugin.config.Sink.PluginLog(abi.LogInfo, text, true)
	}
}

func (s *Session) lastOutput() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.printed == "" {
		return ""
	}
	return " (" + s.printed + ")"
}

func clean(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}

// listen waits for the worker's doorbell.
func (s *Session) listen() {
	buf := make([]byte, 64)
	for {
		if _, err := s.control.Read(buf); err != nil {
			break
		}
		s.drain()
	}
	// It is ending, and how is for watch to see; or it lives, and is none without
	// its socket.
	select {
	case <-s.ended:
	case <-time.After(lastWords):
		s.kill(errSocket)
		<-s.ended
	}
	s.control.Close()
}

// drain hands on what the plugin has logged. A worker that has written nonsense
// to the ring only loses its lines.
func (s *Session) drain() {
	s.lines.Lock()
	defer s.lines.Unlock()
	if s.unmapped {
		return
	}
	sink := s.plugin.config.Sink
	err := s.mem.ReadLines(func(kind uint32, text []byte) {
		own := kind&channel.LineUncertain == 0
		switch {
		case kind&channel.LineWake == 0:
			sink.PluginLog(abi.LogLevel(kind&0xff), clean(text), own)
		case len(text) == 8:
			sink.PluginWake(binary.LittleEndian.Uint64(text), own)
		}
	})
	if err != nil {
		sink.PluginLog(abi.LogWarn, err.Error(), false)
	}
}
