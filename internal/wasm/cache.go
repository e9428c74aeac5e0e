package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tetratelabs/wazero"
)

// diskCache keeps the code of one module from one run of the program to the next. Its files are
// the engine's, which looks at no more than half of what is in them; so a sum of all lies beside
// them, and what does not match it is not used. Nil is no cache.
type diskCache struct {
	dir      string
	compiled wazero.CompilationCache // of this run; nil where there is none
	fresh    bool                    // the sum is to be written
}

// sumName is the file with the sum.
const sumName = "sum"

// usable reports whether code can be kept in a folder, which it makes: nobody else may write to
// it, since what is there is run.
func usable(root string) bool {
	if root == "" || os.MkdirAll(root, 0o700) != nil {
		return false
	}
	info, err := os.Lstat(root)
	return err == nil && info.IsDir() && private(info)
}

// openCache opens the cache of a module's text in the folder of all. What cannot be used is no
// cache.
func openCache(root string, text []byte) *diskCache {
	if !usable(root) {
		return nil
	}
	hash := sha256.Sum256(text)
	c := &diskCache{dir: filepath.Join(root, hex.EncodeToString(hash[:]))}
	want, err := os.ReadFile(filepath.Join(c.dir, sumName))
	if sum, sumErr := c.sum(); err != nil || sumErr != nil || string(want) != sum {
		c.fresh = true
		if os.RemoveAll(c.dir) != nil {
			return nil
		}
	}
	if c.compiled, err = wazero.NewCompilationCacheWithDir(c.dir); err != nil {
		return nil
	}
	return c
}

func (c *diskCache) used() bool { return c != nil && c.compiled != nil }

// discard forgets what is in the cache.
func (c *diskCache) discard() {
	_ = c.compiled.Close(context.Background())
	_ = os.RemoveAll(c.dir)
	c.compiled = nil
}

// seal writes the sum, when all else has been.
func (c *diskCache) seal() {
	if !c.used() || !c.fresh {
		return
	}
	sum, err := c.sum()
	if err != nil {
		return
	}
	// Written beside its place: who reads it meanwhile finds none, or the whole.
	file, err := os.CreateTemp(c.dir, sumName+".*.tmp")
	if err != nil {
		return
	}
	_, err = io.WriteString(file, sum)
	if closeErr := file.Close(); err == nil && closeErr == nil {
		err = os.Rename(file.Name(), filepath.Join(c.dir, sumName))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
}

// sum is that of all files in the cache but itself, in the order of their names.
func (c *diskCache) sum() (string, error) {
	all := sha256.New()
	var names []string
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && filepath.Ext(path) != ".tmp" && filepath.Dir(path) != c.dir {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return "", err
		}
		_, _ = io.WriteString(all, filepath.Base(name)+"\n")
		_, err = io.Copy(all, file)
		file.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
