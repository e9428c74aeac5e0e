package wasm

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental/sys"
	wasi "github.com/tetratelabs/wazero/sys"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/permit"
)

// tree is all that a module sees of the file system: a root with the folders that it was given,
// each by its names, and nothing beside them. A path belongs to the folder whose name is the
// longest that it begins with.
type tree struct {
	sys.UnimplementedFS
	folders []*folder // by the length of their names, the longest first
	log     func(abi.LogLevel, string)
	refused atomic.Int64
	files   descriptors
}

// maxPath is how long a path of a module's may be, in bytes; the system takes no longer ones.
const maxPath = 4096

func tooLong(path string) bool { return len(path) > maxPath }

// maxRefusals is how many refusals of one module are logged.
const maxRefusals = 20

func newTree(folders []*folder, openFiles int, log func(abi.LogLevel, string)) *tree {
	slices.SortStableFunc(folders, func(a, b *folder) int { return len(b.mount.Guest) - len(a.mount.Guest) })
	return &tree{folders: folders, log: log, files: descriptors{most: openFiles}}
}

// clean is a path of the module's without a slash at its beginning; "." is the root.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// below is what is left of a path in a folder; ok is false where it is not in there.
func (f *folder) below(name string) (rest string, ok bool) {
	guest := clean(f.mount.Guest)
	if guest == "" {
		return name, true
	}
	if name == guest {
		return ".", true
	}
	return strings.CutPrefix(name, guest+"/")
}

// find is the folder that a path is in, and where in it. Nil is none.
func (t *tree) find(name string) (*folder, string) {
	for _, f := range t.folders {
		if rest, ok := f.below(name); ok {
			return f, rest
		}
	}
	return nil, ""
}

// inside lists what is in a folder that the tree makes up, because a folder is below it; nil is no
// such folder.
func (t *tree) inside(name string) (names []string) {
	for _, f := range t.folders {
		rest := clean(f.mount.Guest)
		if name != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(rest, name+"/"); !ok {
				continue
			}
		}
		if first, _, _ := strings.Cut(rest, "/"); first != "" && !slices.Contains(names, first) {
			names = append(names, first)
		}
	}
	if names == nil && name == "" {
		names = []string{}
	}
	return names
}

// on does something in the folder that a path is in, which needs a permission. Elsewhere it is
// refused.
func (t *tree) on(action, name string, needs permit.Key, do func(f *folder, rest string) sys.Errno) sys.Errno {
	if tooLong(name) {
		return sys.ENAMETOOLONG
	}
	name = clean(name)
	f, rest := t.find(name)
	if f == nil || needs == permit.Write && f.readOnly() {
		return t.refuse(action, name, notListed(needs))
	}
	switch err := do(f, rest); err {
	case sys.EPERM:
		return t.refuse(action, name, "a link leads out of its folder")
	case sys.EACCES:
		return t.refuse(action, name, "the system does not allow it, or it is no regular file or folder")
	default:
		return err
	}
}

// notListed says which permission is missing.
func notListed(needs permit.Key) string {
	if needs == permit.Write {
		return string(permit.Write) + " does not list it"
	}
	return fmt.Sprintf("neither %s nor %s lists it", permit.Read, permit.Write)
}

// refuse is the error of what the module may not do; the log is told. A path comes without the
// slash at its beginning, if it had one: the module's own library removes it.
func (t *tree) refuse(action, name, why string) sys.Errno {
	t.tell("it may not %s %s (from / or the folder of nyash.toml): %s", action, contract.Excerpt(path.Clean(name)), why)
	return sys.EACCES
}

// tell logs a refusal.
func (t *tree) tell(format string, args ...any) {
	if n := t.refused.Add(1); n <= maxRefusals {
		text := fmt.Sprintf(format, args...)
		if n == maxRefusals {
			text += "; further refusals are not logged"
		}
		t.log(abi.LogWarn, text)
	}
}

// OpenFile implements [sys.FS]. With too many files open it is EIO, as WASI's other numbers for that
// are none of the engine's.
func (t *tree) OpenFile(name string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	if tooLong(name) {
		return nil, sys.ENAMETOOLONG
	}
	if !t.files.take() {
		t.tell("it has %d files open, and may open no more (limits.open_files)", t.files.most)
		return nil, sys.EIO
	}
	file, err := t.open(name, flag, perm)
	if err != 0 {
		t.files.open--
		return nil, err
	}
	return &counted{File: file, of: &t.files}, 0
}

func (t *tree) open(name string, flag sys.Oflag, perm fs.FileMode) (file sys.File, err sys.Errno) {
	if f, _ := t.find(clean(name)); f == nil && !writes(flag) {
		if names := t.inside(clean(name)); names != nil {
			return &madeUp{names: names}, 0
		}
	}
	needs := permit.Read
	if writes(flag) {
		needs = permit.Write
	}
	err = t.on("open", name, needs, func(f *folder, rest string) (err sys.Errno) {
		file, err = f.OpenFile(rest, flag, perm)
		return err
	})
	return file, err
}

func (t *tree) stat(name string, of func(f *folder, rest string) (wasi.Stat_t, sys.Errno)) (st wasi.Stat_t, err sys.Errno) {
	if tooLong(name) {
		return st, sys.ENAMETOOLONG
	}
	if f, _ := t.find(clean(name)); f == nil && t.inside(clean(name)) != nil {
		return madeUpStatus, 0
	}
	err = t.on("look at", name, permit.Read, func(f *folder, rest string) (err sys.Errno) {
		st, err = of(f, rest)
		return err
	})
	return st, err
}

// Lstat implements [sys.FS].
func (t *tree) Lstat(name string) (wasi.Stat_t, sys.Errno) {
	return t.stat(name, (*folder).Lstat)
}

// Stat implements [sys.FS].
func (t *tree) Stat(name string) (wasi.Stat_t, sys.Errno) {
	return t.stat(name, (*folder).Stat)
}

// Mkdir implements [sys.FS].
func (t *tree) Mkdir(name string, perm fs.FileMode) sys.Errno {
	return t.on("make", name, permit.Write, func(f *folder, rest string) sys.Errno { return f.Mkdir(rest, perm) })
}

// Rmdir implements [sys.FS].
func (t *tree) Rmdir(name string) sys.Errno {
	return t.on("remove", name, permit.Write, (*folder).Rmdir)
}

// Unlink implements [sys.FS].
func (t *tree) Unlink(name string) sys.Errno {
	return t.on("remove", name, permit.Write, (*folder).Unlink)
}

// Rename implements [sys.FS].
func (t *tree) Rename(from, to string) sys.Errno { return t.pair("move", from, to, (*folder).Rename) }

// Link implements [sys.FS].
func (t *tree) Link(from, to string) sys.Errno { return t.pair("link", from, to, (*folder).Link) }

// pair does something with two paths, which must be in one folder: two are like two file systems.
func (t *tree) pair(action, from, to string, do func(f *folder, from, to string) sys.Errno) sys.Errno {
	to = clean(to)
	other, otherRest := t.find(to)
	if other == nil || other.readOnly() {
		return t.refuse(action+" to", to, notListed(permit.Write))
	}
	return t.on(action, from, permit.Write, func(f *folder, rest string) sys.Errno {
		if other.root != f.root {
			return sys.ENOTSUP
		}
		return do(f, rest, otherRest)
	})
}

// Symlink implements [sys.FS].
func (t *tree) Symlink(to, name string) sys.Errno {
	if tooLong(to) {
		return sys.ENAMETOOLONG
	}
	return t.on("make a link at", name, permit.Write, func(f *folder, rest string) sys.Errno { return f.Symlink(to, rest) })
}

// Readlink implements [sys.FS].
func (t *tree) Readlink(name string) (to string, err sys.Errno) {
	err = t.on("read the link", name, permit.Read, func(f *folder, rest string) (err sys.Errno) {
		to, err = f.Readlink(rest)
		return err
	})
	return to, err
}

// Utimens implements [sys.FS].
func (t *tree) Utimens(name string, access, changed int64) sys.Errno {
	return t.on("change the times of", name, permit.Write, func(f *folder, rest string) sys.Errno { return f.Utimens(rest, access, changed) })
}

// madeUp is a folder of the tree's that the file system does not have.
type madeUp struct {
	sys.UnimplementedFile
	sys.DirFile
	names []string
	at    int
}

var madeUpStatus = wasi.Stat_t{Mode: fs.ModeDir | 0o555, Nlink: 1}

// Dev implements [sys.File].
func (d *madeUp) Dev() (uint64, sys.Errno) { return 0, 0 }

// Ino implements [sys.File].
func (d *madeUp) Ino() (wasi.Inode, sys.Errno) { return 0, 0 }

// IsDir implements [sys.File].
func (d *madeUp) IsDir() (bool, sys.Errno) { return true, 0 }

// IsAppend implements [sys.File].
func (d *madeUp) IsAppend() bool { return false }

// SetAppend implements [sys.File].
func (d *madeUp) SetAppend(bool) sys.Errno { return 0 }

// Stat implements [sys.File].
func (d *madeUp) Stat() (wasi.Stat_t, sys.Errno) { return madeUpStatus, 0 }

// Read implements [sys.File].
func (d *madeUp) Read([]byte) (int, sys.Errno) { return 0, sys.EISDIR }

// Pread implements [sys.File].
func (d *madeUp) Pread([]byte, int64) (int, sys.Errno) { return 0, sys.EISDIR }

// Write implements [sys.File].
func (d *madeUp) Write([]byte) (int, sys.Errno) { return 0, sys.EISDIR }

// Pwrite implements [sys.File].
func (d *madeUp) Pwrite([]byte, int64) (int, sys.Errno) { return 0, sys.EISDIR }

// Truncate implements [sys.File].
func (d *madeUp) Truncate(int64) sys.Errno { return sys.EISDIR }

// Seek implements [sys.File].
func (d *madeUp) Seek(offset position, whence int) (position, sys.Errno) {
	if offset != 0 || whence != io.SeekStart {
		return 0, sys.EINVAL
	}
	d.at = 0
	return 0, 0
}

// Readdir implements [sys.File].
func (d *madeUp) Readdir(n int) (all []sys.Dirent, _ sys.Errno) {
	for ; d.at < len(d.names) && (n <= 0 || len(all) < n); d.at++ {
		all = append(all, sys.Dirent{Name: d.names[d.at], Type: fs.ModeDir})
	}
	return all, 0
}

// Sync implements [sys.File].
func (d *madeUp) Sync() sys.Errno { return 0 }

// Datasync implements [sys.File].
func (d *madeUp) Datasync() sys.Errno { return 0 }

// Utimens implements [sys.File].
func (d *madeUp) Utimens(int64, int64) sys.Errno { return sys.EACCES }

// Close implements [sys.File].
func (d *madeUp) Close() sys.Errno { return 0 }
