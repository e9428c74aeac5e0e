package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/peterh/liner"
)

// historyVariable names the file that keeps the lines of the repl; none where it is empty.
const historyVariable = "NYASH_HISTORY"

// historyFile is where the lines are kept, or empty.
func historyFile() string {
	if file, ok := os.LookupEnv(historyVariable); ok {
		return file
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // which it must be
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
		if runtime.GOOS == "windows" {
			if dir, err = os.UserCacheDir(); err != nil {
				return ""
			}
		}
	}
	return filepath.Join(dir, "nyash", "history")
}

// history keeps lines between runs. Each is written at once, behind those of other sessions.
type history struct{ file *os.File }

// maxHistoryFile is from how many bytes on a file is cut to the lines that are used.
const maxHistoryFile = 1 << 20

// openHistory reads the lines that are kept into an editor. The file is for its owner's eyes, since
// lines may have secrets in them.
func openHistory(path string, editor *liner.State) (*history, error) {
	if path == "" {
		return &history{}, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// A pipe would be waited for, and a device has no end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	lines := strings.Split(string(data), "\n")
	lines = lines[max(0, len(lines)-liner.HistoryLimit):]
	for _, line := range lines {
		if line != "" {
			remember(editor, line)
		}
	}
	if len(data) > maxHistoryFile {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil && runtime.GOOS != "windows" {
			f.Close()
			return nil, err
		}
	}
	return &history{f}, nil
}

// remember has an editor offer a line again. Lines with other characters than ASCII's are kept in the file
// alone: liner v1.2.3 takes offsets in bytes for those in characters when it looks for them.
func remember(editor *liner.State, line string) {
	if !strings.ContainsFunc(line, func(r rune) bool { return r >= utf8.RuneSelf || r < ' ' }) {
		editor.AppendHistory(line)
	}
}

// add keeps a line.
func (h *history) add(line string) error {
	if h.file == nil {
		return nil
	}
	_, err := fmt.Fprintln(h.file, line)
	return err
}

func (h *history) close() {
	if h.file != nil {
		h.file.Close()
	}
}
