// Package objfile reads the tables of a library's file, of whatever system and
// processor, without loading it: what it needs and what it exports. Any file may be
// read, however damaged and made to whatever end: time and memory are bounded. The
// packages of Go's debug/ are for files of compilers, and copy each name as often as
// the file asks for. Names come from the file as they are, and are not fit to be shown.
package objfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/files"
)

// ErrFormat means that a file is of none of the formats that are read.
var ErrFormat = errors.New("not an ELF, Mach-O or PE file")

// How much is read of a file.
const (
	maxTables = 32 << 20 // bytes of its tables
	maxNames  = 1 << 16  // libraries, exported symbols of the plugin ABI, and others
	maxName   = 1 << 10  // bytes of a name; what is beyond them is left out
)

// File is what the tables of a library's file hold.
type File struct {
	Format  string   // with the processor
	Needs   []string // libraries
	Exports []string // sorted; of those that are not of the plugin ABI perhaps not all
	// Weak are exported symbols that give way to others of the same name. Compilers
	// make them by themselves, of templates in C++ for example.
	Weak []string
}

// Read reads a file's tables. What is no regular file is not read: that could wait for
// ever. Where only a part can be read, both results are set.
func Read(file string) (*File, error) {
	f, info, err := files.Open(file)
	if errors.Is(err, files.ErrNotRegular) {
		return nil, ErrFormat
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return (&reader{from: f, size: uint64(info.Size())}).file()
}

func (r *reader) file() (*File, error) {
	magic, err := r.bytes(0, 4)
	if err != nil {
		return nil, ErrFormat
	}
	switch {
	case string(magic) == "\x7fELF":
		return readELF(r)
	case string(magic[:2]) == "MZ":
		return readPE(r)
	}
	return readMachO(r, "Mach-O")
}

// reader reads parts of a file, or of a file within it.
type reader struct {
	from  io.ReaderAt
	begin uint64 // of the file within
	size  uint64
	read  uint64 // so far
	order binary.ByteOrder
}

// bytes reads length bytes at an offset.
func (r *reader) bytes(offset, length uint64) ([]byte, error) {
	if offset > r.size || length > r.size-offset {
		return nil, fmt.Errorf("the file is cut short or damaged: %d bytes at byte %d are past its end", length, offset)
	}
	if r.read += length; r.read > maxTables {
		return nil, fmt.Errorf("its tables have more than the %d MiB that are read", maxTables>>20)
	}
	data := make([]byte, length)
	_, err := r.from.ReadAt(data, int64(r.begin+offset))
	return data, err
}

// names is a table of strings that end in NUL. They are cut out of it and not copied, since
// any number of them may be of one place.
type names string

func (n names) at(offset uint64) string {
	if offset >= uint64(len(n)) {
		return ""
	}
	text := string(n[offset:])
	name, _, _ := strings.Cut(text[:min(len(text), maxName)], "\x00")
	return name
}

func (f *File) need(library string) {
	if len(f.Needs) < maxNames {
		f.Needs = append(f.Needs, library)
	}
}

// exports collects exported symbols.
type exports struct {
	file   *File
	ours   int // of the plugin ABI
	others int
}

func (e *exports) add(name string, weak bool) {
	count := &e.others
	if strings.HasPrefix(name, prefix) {
		count = &e.ours
	}
	if *count++; *count > maxNames {
		return
	}
	if weak {
		e.file.Weak = append(e.file.Weak, name)
	} else {
		e.file.Exports = append(e.file.Exports, name)
	}
}

func (f *File) sort() {
	slices.Sort(f.Exports)
	slices.Sort(f.Weak)
}

// linkerSymbols are symbols that linkers add to every library.
var linkerSymbols = []string{"_init", "_fini", "_edata", "_end", "__bss_start", "__end__", "_bss_end__", "__bss_start__", "__bss_end__"}

// prefix is what the symbols of the plugin ABI begin with.
const prefix = "nyash_"

// Plugin are the exported symbols of the plugin ABI, weak ones too: a loader finds
// both.
func (f *File) Plugin() []string {
	var all []string
	for _, s := range slices.Concat(f.Exports, f.Weak) {
		if strings.HasPrefix(s, prefix) {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Others are the exported symbols that are not part of the plugin ABI.
func (f *File) Others() []string {
	return slices.DeleteFunc(slices.Clone(f.Exports), func(s string) bool {
		return strings.HasPrefix(s, prefix) || slices.Contains(linkerSymbols, s)
	})
}
