package wasm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// diskCache keeps what was made of one module from one run of the program to the next: the
// engine's file with its code, and an entry, which has sums of all and what of the module the
// engine needs beside the code (see [stub]). What does not match its sum is not used. Nil is no
// cache.
type diskCache struct {
	root  string // of the code of all modules, in folders that the engine names
	entry string // the file
	key   []byte // of the module's file and all that decides what is made of it
	code  string // the file with the code; known when the entry was read
}

const (
	entryMagic  = "nyash module 2\n"
	entrySuffix = ".module"
	tempSuffix  = ".tmp"

	maxKept = 256 << 20 // bytes of all files; see prune

	// touchAfter is for how long a use of an entry is not noted after another.
	touchAfter = time.Hour
)

// unusable is why no code can be kept in a folder, which it makes; nil where it can: nobody else
// may write to it, since what is there is run.
func unusable(root string) error {
	if root == "" {
		return errors.New("no folder is known for it: set HOME or XDG_CACHE_HOME")
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(root)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", root)
	case !private(info):
		return fmt.Errorf("%s is not the user's own, or others may write to it", root)
	}
	return nil
}

// openCache opens the cache of a module's file in the folder of all.
func openCache(root string, file [sha256.Size]byte) *diskCache {
	if unusable(root) != nil {
		return nil
	}
	key := sha256.New()
	fmt.Fprintf(key, "%s%d %d %s %s %x", entryMagic, meter.Version, maxFile, runtime.GOOS, runtime.GOARCH, file)
	name := hex.EncodeToString(key.Sum(nil))
	return &diskCache{root: root, entry: filepath.Join(root, name+entrySuffix), key: []byte(name + "\n")}
}

// read returns the stub of a module whose code is there, undamaged.
func (c *diskCache) read() (stub []byte, ok bool) {
	if c == nil {
		return nil, false
	}
	text, err := files.ReadRegular(c.entry, 2*maxFile)
	if err != nil {
		return nil, false
	}
	rest, ok := bytes.CutPrefix(text, []byte(entryMagic))
	if !ok || len(rest) < sumSize || sumOf(rest[sumSize:]) != [sumSize]byte(rest) {
		return nil, false
	}
	if rest, ok = bytes.CutPrefix(rest[sumSize:], c.key); !ok { // it is another module's
		return nil, false
	}
	name, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok || len(rest) < sumSize || !filepath.IsLocal(string(name)) {
		return nil, false
	}
	c.code = filepath.Join(c.root, string(name))
	if sum, err := sumOfFile(c.code); err != nil || sum != [sumSize]byte(rest) {
		return nil, false
	}
	c.touch()
	return rest[sumSize:], true
}

// sum finds damage, which is all that it has to: who could write to the folder could write a sum
// too. It is of two polynomials, which processors compute much faster than a hash.
type sum struct {
	a, b uint32
	size uint64
}

const sumSize = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *sum) Write(data []byte) (int, error) {
	s.a, s.b = crc32.Update(s.a, castagnoli, data), crc32.Update(s.b, crc32.IEEETable, data)
	s.size += uint64(len(data))
	return len(data), nil
}

func (s *sum) bytes() (out [sumSize]byte) {
	binary.LittleEndian.PutUint32(out[:], s.a)
	binary.LittleEndian.PutUint32(out[4:], s.b)
	binary.LittleEndian.PutUint64(out[8:], s.size)
	return out
}

func sumOf(data []byte) [sumSize]byte {
	var s sum
	_, _ = s.Write(data)
	return s.bytes()
}

func sumOfFile(path string) ([sumSize]byte, error) {
	file, _, err := files.Open(path)
	if err != nil {
		return [sumSize]byte{}, err
	}
	defer file.Close()
	var s sum
	_, err = io.CopyBuffer(&s, struct{ io.Reader }{file}, make([]byte, 64<<10))
	return s.bytes(), err
}

// touch notes that the entry was used.
func (c *diskCache) touch() {
	info, err := os.Stat(c.entry)
	if err != nil || time.Since(info.ModTime()) < touchAfter {
		return
	}
	now := time.Now()
	_ = os.Chtimes(c.entry, now, now)
	_ = os.Chtimes(c.code, now, now)
}

// building is a folder beside those of the cache, into which the engine writes; empty where there
// is none.
func (c *diskCache) building() string {
	if c == nil {
		return ""
	}
	dir, err := os.MkdirTemp(c.root, "build-*"+tempSuffix)
	if err != nil {
		return ""
	}
	return dir
}

// keep moves what the engine has written to a building folder to the cache: as the code of the
// stub. It fails silently, as the cache is not needed.
func (c *diskCache) keep(building string, stub []byte) {
	written := codeFile(building)
	other := c.building()
	if written == "" || other == "" {
		return
	}
	defer func() { _ = os.RemoveAll(other) }()
	name, err := codeName(other, stub)
	if err != nil {
		return
	}
	codeSum, err := sumOfFile(written)
	if err != nil {
		return
	}
	c.code = filepath.Join(c.root, name)
	if os.MkdirAll(filepath.Dir(c.code), 0o700) != nil || os.Rename(written, c.code) != nil {
		return
	}
	body := slices.Concat(c.key, []byte(name+"\n"), codeSum[:], stub)
	bodySum := sumOf(body)
	// Written beside its place: who reads it meanwhile finds none, or the whole.
	file, err := os.CreateTemp(c.root, "entry-*"+tempSuffix)
	if err != nil {
		return
	}
	_, err = file.Write(slices.Concat([]byte(entryMagic), bodySum[:], body))
	if closeErr := file.Close(); err == nil && closeErr == nil {
		err = os.Rename(file.Name(), c.entry)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	prune(c.root, maxKept)
}

// codeFile is the one file that the engine has written to a folder of its cache.
func codeFile(dir string) string {
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(found) != 1 {
		return ""
	}
	return found[0]
}

// codeName is how the engine calls the code of a stub, from the folder of the cache. The engine is
// asked with a folder of its own, in which it keeps what it makes of the stub itself.
func codeName(dir string, stub []byte) (string, error) {
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return "", err
	}
	if err := compileAlone(cache, stub); err != nil {
		return "", err
	}
	return filepath.Rel(dir, codeFile(dir))
}

// prune removes the files that were used longest ago until those that are left have no more than
// so many bytes. Who has one open has it; who finds none makes it again.
func prune(root string, most int64) {
	type file struct {
		path string
		size int64
		used time.Time
	}
	var all []file
	total := int64(0)
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		if strings.HasSuffix(path, tempSuffix) {
			if time.Since(info.ModTime()) > touchAfter { // of a program that has ended meanwhile
				_ = os.RemoveAll(path)
			}
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() {
			all = append(all, file{path, info.Size(), info.ModTime()})
			total += info.Size()
		}
		return nil
	})
	slices.SortFunc(all, func(a, b file) int { return a.used.Compare(b.used) })
	for _, f := range all {
		if total <= most {
			return
		}
		if os.Remove(f.path) == nil {
			total -= f.size
			_ = os.Remove(filepath.Dir(f.path)) // where it was the last one
		}
	}
}
