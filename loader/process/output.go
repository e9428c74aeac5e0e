package process

import (
	"bufio"
	"encoding/binary"
	"os"
	"strings"
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
		if output := s.plugin.config.Output; output != nil {
			output(text)
			continue
		}
		s.plugin.config.Sink.PluginLog(abi.LogInfo, text, true)
	}
}

// hear hands on a line that the plugin has logged, or a wake. The worker may have
// said anything.
func (s *Session) hear(kind uint32, text []byte) {
	sink := s.plugin.config.Sink
	own := kind&channel.LineUncertain == 0
	switch {
	case kind&channel.LineWake == 0:
		sink.PluginLog(abi.LogLevel(kind&0xff), clean(text), own)
	case len(text) == 8:
		sink.PluginWake(binary.LittleEndian.Uint64(text), own)
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
