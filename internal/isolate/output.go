package isolate

import (
	"bufio"
	"encoding/binary"
	"os"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
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
		if outOfMemory(text) {
			s.exhausted.Store(true)
		}
		s.mu.Lock()
		s.printed = text
		s.mu.Unlock()
		if output := s.config.Output; output == nil {
			s.log(abi.LogInfo, text, true)
		} else if s.logs.allow(len(text)) {
			output(text)
		}
	}
}

// outOfMemory reports whether a line is what a worker's runtime prints when it cannot
// go on for want of memory. A plugin may print that too, and gains nothing by it.
func outOfMemory(line string) bool {
	return strings.HasPrefix(line, "fatal error: runtime: cannot allocate memory") ||
		strings.HasPrefix(line, "fatal error: runtime: out of memory") || strings.HasPrefix(line, "fatal error: out of memory")
}

// line hands on a line that the plugin has logged, or a wake. The worker may have
// said anything.
func (s *Session) line(kind uint32, text []byte) (ok bool) {
	own := kind&wire.LineUncertain == 0
	switch {
	case kind&wire.LineWake == 0:
		return s.log(abi.LogLevel(kind&0xff), clean(text), own)
	case len(text) == 8:
		return s.lines.put(line{wake: true, handle: binary.LittleEndian.Uint64(text), own: own})
	}
	return false
}

// log logs a line, if the worker has not said too much lately.
func (s *Session) log(level abi.LogLevel, text string, own bool) (ok bool) {
	if !s.logs.allow(len(text)) {
		return false
	}
	if !s.lines.put(line{level: level, text: text, own: own}) {
		s.logs.leaveOut()
		return false
	}
	return true
}

func (s *Session) lastOutput() string {
	if printed := s.lastPrinted(); printed != "" {
		return " (" + printed + ")"
	}
	return ""
}

func (s *Session) lastPrinted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed
}

// clean is text of a worker's as the host shows it.
func clean(text []byte) string { return contract.Printable(string(text)) }
