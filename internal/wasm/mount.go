package wasm

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	wasi "github.com/tetratelabs/wazero/sys"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/permit"
)

// mount opens the folders that the module was given. A module with none sees no file system.
func (m *Module) mount() (wazero.FSConfig, error) {
	if err := m.checkNested(); err != nil {
		return nil, err
	}
	config := wazero.NewFSConfig()
	roots := make(map[string]*os.Root)
	var folders []*folder
	for _, mount := range m.plugin.config.Mounts {
		root := roots[mount.Host]
		if root == nil {
			var err error
			if root, err = openFolder(mount.Host); err != nil {
				return nil, &native.Error{File: m.plugin.config.File, Reason: native.ErrOpen, Err: err,
					Detail: strings.TrimPrefix(mount.Where+": ", ": ") + fmt.Sprintf("its permissions name %s: %v; make the folder, or correct the path", mount.Host, reason(err))}
			}
			roots[mount.Host] = root
			m.closers = append(m.closers, func() { _ = root.Close() })
		}
		folders = append(folders, &folder{root: root, mount: mount, look: m.look})
	}
	return config.(sysfs.FSConfig).WithSysFSMount(newTree(folders, m.openFiles(), m.note), "/"), nil
}

// checkNested refuses a folder that may only be read in one that may be written: as the module can
// move and link what is around it, it could be changed. Where links lie on the way only the system
// tells.
func (m *Module) checkNested() error {
	mounts := m.plugin.config.Mounts
	for _, inner := range mounts {
		if inner.Write {
			continue
		}
		for _, outer := range mounts {
			if outer.Write && inner.Host != outer.Host && within(inner.Host, outer.Host) {
				return &native.Error{File: m.plugin.config.File, Reason: native.ErrOpen,
					Detail: fmt.Sprintf("its permissions let it read %s, which lies in %s of write, in which it may change all; fix: remove the one, or list under write only the folders beside it", inner.Host, outer.Host)}
			}
		}
	}
	return nil
}

// within reports whether a folder lies in another one, and is not the same.
func within(inner, outer string) bool {
	inner, err := filepath.EvalSymlinks(inner)
	if err != nil {
		return false // that it cannot be opened is said by who opens it
	}
	of, err := os.Stat(outer)
	if err != nil {
		return false
	}
	if here, err := os.Stat(inner); err != nil || os.SameFile(here, of) {
		return false
	}
	for dir := filepath.Dir(inner); ; dir = filepath.Dir(dir) {
		if here, err := os.Stat(dir); err == nil && os.SameFile(here, of) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// openFiles is how many files the module may have open.
func (m *Module) openFiles() int {
	if most := m.plugin.config.OpenFiles; most > 0 {
		return int(min(most, math.MaxInt32))
	}
	return maxOpenFiles
}

// note logs what the host has to say of the module.
func (m *Module) note(level abi.LogLevel, text string) {
	if sink := m.plugin.config.Sink; sink != nil {
		sink.PluginLog(level, text, true)
	}
}

func openFolder(path string) (*os.Root, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("it is not a folder, and a module is given folders")
	}
	return os.OpenRoot(path)
}

func reason(err error) error {
	if path, ok := err.(*fs.PathError); ok { //nolint:errorlint // the path is told already
		return path.Err
	}
	return err
}

// folder is a folder that a module sees, and all that is below it. The system's own calls for
// paths that are relative to an open folder see to it that no link leads out of it, whoever has
// made that and when ([os.Root]).
type folder struct {
	sys.UnimplementedFS
	root  *os.Root
	mount permit.Mount
	look  func() // at the module, which ends the call where that is to end
}

// local is a path of the module's as os.Root takes it.
func local(name string) string {
	if name == "" || name == "/" {
		return "."
	}
	return filepath.FromSlash(strings.TrimPrefix(name, "/"))
}

// errno is what a module gets of an error. What os.Root refuses, because it leads out of the
// folder, is not permitted.
func errno(err error) sys.Errno {
	if err == nil {
		return 0
	}
	if strings.Contains(err.Error(), "path escapes from parent") { // os has no value for it
		return sys.EPERM
	}
	return sys.UnwrapOSError(err)
}

// readOnly reports whether the module may not change what is in the folder.
func (f *folder) readOnly() bool { return !f.mount.Write }

// OpenFile opens regular files and folders; nothing else, because a pipe would hold the host's
// thread up, and a device is not the module's business.
func (f *folder) OpenFile(name string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	access := flag & (sys.O_RDONLY | sys.O_WRONLY | sys.O_RDWR)
	if writes(flag) && f.readOnly() {
		return nil, sys.EACCES // as a plugin in a process of its own would get
	}
	name = local(name)
	look := f.root.Stat
	if flag&sys.O_NOFOLLOW != 0 {
		look = f.root.Lstat
	}
	info, err := look(name)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return nil, sys.ELOOP
	case err == nil && !info.IsDir() && !info.Mode().IsRegular():
		return nil, sys.EACCES
	case err == nil && flag&sys.O_DIRECTORY != 0 && !info.IsDir():
		return nil, sys.ENOTDIR
	case err == nil && info.IsDir() && access != sys.O_RDONLY:
		return nil, sys.EISDIR
	}
	file, err := f.root.OpenFile(name, osFlags(flag), perm.Perm())
	if err != nil {
		return nil, errno(err)
	}
	if info, err = file.Stat(); err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		file.Close() // it has taken the place of what was looked at
		return nil, sys.EACCES
	}
	return &openFile{file: file, folder: f, name: name, dir: info.IsDir(), append: flag&sys.O_APPEND != 0}, 0
}

// writes reports whether a file is opened to change something.
func writes(flag sys.Oflag) bool {
	return flag&(sys.O_RDONLY|sys.O_WRONLY|sys.O_RDWR) != sys.O_RDONLY || flag&(sys.O_CREAT|sys.O_TRUNC|sys.O_APPEND) != 0
}

func osFlags(flag sys.Oflag) int {
	all := nonblock
	switch flag & (sys.O_RDONLY | sys.O_WRONLY | sys.O_RDWR) {
	case sys.O_WRONLY:
		all |= os.O_WRONLY
	case sys.O_RDWR:
		all |= os.O_RDWR
	}
	for _, f := range []struct {
		guest sys.Oflag
		host  int
	}{{sys.O_APPEND, os.O_APPEND}, {sys.O_CREAT, os.O_CREATE}, {sys.O_EXCL, os.O_EXCL}, {sys.O_TRUNC, os.O_TRUNC}, {sys.O_SYNC, os.O_SYNC}} {
		if flag&f.guest != 0 {
			all |= f.host
		}
	}
	return all
}

func (f *folder) change(do func() error) sys.Errno {
	if f.readOnly() {
		return sys.EACCES
	}
	return errno(do())
}

func status(info fs.FileInfo, err error) (wasi.Stat_t, sys.Errno) {
	if err != nil {
		return wasi.Stat_t{}, errno(err)
	}
	return wasi.NewStat_t(info), 0
}

// Lstat implements [sys.FS].
func (f *folder) Lstat(name string) (wasi.Stat_t, sys.Errno) {
	return status(f.root.Lstat(local(name)))
}

// Stat implements [sys.FS].
func (f *folder) Stat(name string) (wasi.Stat_t, sys.Errno) { return status(f.root.Stat(local(name))) }

// Mkdir implements [sys.FS].
func (f *folder) Mkdir(name string, perm fs.FileMode) sys.Errno {
	return f.change(func() error { return f.root.Mkdir(local(name), perm.Perm()) })
}

// Rename implements [sys.FS].
func (f *folder) Rename(from, to string) sys.Errno {
	return f.change(func() error { return f.root.Rename(local(from), local(to)) })
}

// Rmdir implements [sys.FS].
func (f *folder) Rmdir(name string) sys.Errno {
	return f.remove(name, true)
}

// Unlink implements [sys.FS].
func (f *folder) Unlink(name string) sys.Errno {
	return f.remove(name, false)
}

func (f *folder) remove(name string, dir bool) sys.Errno {
	if f.readOnly() {
		return sys.EACCES
	}
	info, err := f.root.Lstat(local(name))
	switch {
	case err != nil:
		return errno(err)
	case dir && !info.IsDir():
		return sys.ENOTDIR
	case !dir && info.IsDir():
		return sys.EISDIR
	}
	return errno(f.root.Remove(local(name)))
}

// Link implements [sys.FS].
func (f *folder) Link(from, to string) sys.Errno {
	return f.change(func() error { return f.root.Link(local(from), local(to)) })
}

// Symlink makes links to what lies beside or below them. The module could not follow others;
// but other programs could, also when a folder with links in it has been moved.
func (f *folder) Symlink(to, name string) sys.Errno {
	if path.IsAbs(to) || !filepath.IsLocal(filepath.FromSlash(to)) || slices.Contains(strings.Split(to, "/"), "..") {
		return sys.EPERM
	}
	to = strings.Clone(to) // it is the module's memory
	return f.change(func() error { return f.root.Symlink(filepath.FromSlash(to), local(name)) })
}

// Readlink implements [sys.FS].
func (f *folder) Readlink(name string) (string, sys.Errno) {
	to, err := f.root.Readlink(local(name))
	return filepath.ToSlash(to), errno(err)
}

// Utimens implements [sys.FS].
func (f *folder) Utimens(name string, access, changed int64) sys.Errno {
	return f.change(func() error {
		a, c := times(access, changed)
		return f.root.Chtimes(local(name), a, c)
	})
}

// times are two times of a module's; the zero time leaves one as it is.
func times(access, changed int64) (a, c time.Time) {
	if access != sys.UTIME_OMIT {
		a = time.Unix(0, access)
	}
	if changed != sys.UTIME_OMIT {
		c = time.Unix(0, changed)
	}
	return a, c
}
