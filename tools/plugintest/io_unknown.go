package plugintest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The system says of some files that they have 0 bytes, or 4,096, and they have others: those in /proc and
// /sys. A plugin that takes the size for the end of the file cuts them.

// shownFiles are such files as each system has, whose content stays the same.
var shownFiles = []string{"/proc/version", "/proc/filesystems", "/sys/devices/system/cpu/possible"}

// shownSizes are the lengths of files in /proc that are made for the check: around what buffers and one
// entry hold.
var shownSizes = []int{300, 5000, 65_535, 65_536, 131_072, 200_000}

// faultySize is the length of the one with which calls are made in which a call of the system fails.
const faultySize = 5000

// unknownSizes reads files whose size the system does not know. What answers the content of an ordinary file
// must answer theirs, too, or refuse.
func (f *fileBox) unknownSizes() error {
	if runtime.GOOS != "linux" || f.plugin.module {
		return nil
	}
	known := make(map[*method]bool)
	sizes, paths := shownSizes, shownFiles
	if f.options.wrapper != nil {
		sizes, paths = sizes[len(sizes)-1:], nil // valgrind is slow
	}
	for _, size := range sizes {
		path, end, err := startShown(size)
		if err != nil {
			f.line("no file of unknown size: %v", err)
			return nil
		}
		err = f.readShown(path, size == faultySize, known)
		end()
		if err != nil {
			return err
		}
	}
	for _, path := range paths {
		if err := f.readShown(path, false, known); err != nil {
			return err
		}
	}
	return nil
}

// startShown makes a file in /proc of this length: the arguments of a process that waits. It has NULs.
func startShown(size int) (path string, end func(), err error) {
	const most = 100_000 // of one argument: the system allows 128 KiB
	args := []string{"-c", "echo; read x", "sh"}
	left := size - len("sh\x00"+strings.Join(args, "\x00")+"\x00")
	var text strings.Builder
	for i := 0; text.Len() < left; i++ {
		fmt.Fprintf(&text, "%d\n", i)
	}
	for all := text.String()[:left]; len(all) > 0; {
		n := min(len(all)-1, most)
		args = append(args, all[:n])
		all = all[n+1:]
	}
	cmd := exec.Command("sh", args...)
	cmd.Args[0] = "sh"
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	path, end = fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid), func() { _ = in.Close(); _ = cmd.Wait() }
	// The file is empty while the process becomes the program, which then says that it runs.
	_, err = io.ReadFull(out, make([]byte, 1))
	if data, readErr := contentAt(path); err != nil || readErr != nil || len(data) != size {
		end()
		return "", nil, fmt.Errorf("%s is not of the arguments of a process", path)
	}
	return path, end, nil
}

// contentLimit is up to what length a file is read.
const contentLimit = 1 << 20

func contentAt(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, contentLimit))
}

// readShown asks all readers for a file whose size the system does not know, and for an ordinary one of the
// same content. known are the methods that answer the content of ordinary files. A file counts that has
// the same content afterwards.
func (f *fileBox) readShown(path string, faults bool, known map[*method]bool) error {
	data, err := contentAt(path)
	if err != nil || len(data) < 2 || len(data) >= contentLimit {
		return nil
	}
	const ordinary = "ordinary"
	var found []Finding
	for _, r := range f.readersOf(len(data)) {
		// A method that is asked may change the file.
		if err := os.WriteFile(filepath.Join(f.dir, ordinary), data, 0o600); err != nil {
			return fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		want := r.of(data)
		have, _, err := f.ask(&r, ordinary, nil, contract.InitialResultSize, nil)
		if err != nil {
			return err
		}
		answers := have.ok && bytes.Equal(have.data, want)
		if known[r.m] = known[r.m] || answers; !answers && (!known[r.m] || !have.refused()) {
			continue
		}
		sizes := []int{contract.InitialResultSize}
		if exact := tlv.HeaderSize + tlv.EntryHeaderSize + len(want); r.whole && exact < contract.InitialResultSize {
			sizes = append(sizes, 0, exact/2, exact-1, exact)
		}
		for _, size := range sizes {
			got, _, err := f.ask(&r, path, want, size, nil)
			if err != nil {
				return err
			}
			if wrong := otherBytes(&got, want); wrong != "" {
				found = append(found, r.finding(path, want, fmt.Sprintf("it answered %s, with a result buffer of %d bytes", wrong, size)))
				break
			}
		}
		if faults && len(found) == 0 {
			if err := f.readFailing(&r, path, want); err != nil {
				return err
			}
		}
	}
	if again, err := contentAt(path); err != nil || !bytes.Equal(again, data) {
		return nil
	}
	for i := range found {
		f.add(found[i])
	}
	return nil
}

// otherBytes tells in what an answer is not the content that is wanted; empty where it is, or refuses.
func otherBytes(got *asked, want []byte) string {
	switch {
	case got.refused() || got.ok && bytes.Equal(got.data, want):
		return ""
	case !got.ok:
		return fmt.Sprint(got.a)
	}
	return fmt.Sprintf("%d bytes, %s", len(got.data), firstDifference(got.data, want))
}

func (r *fileReader) finding(path string, want []byte, what string) Finding {
	s := r.m.step(1, encode(r.values()))
	found := s.finding(codeIO, "of %s, whose size the system does not know, %s", path, what)
	found.Expected = fmt.Sprintf("its %d bytes, as of an ordinary file, or an error code", len(want))
	return found
}
