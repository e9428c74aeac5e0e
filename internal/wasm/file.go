package wasm

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/tetratelabs/wazero/experimental/sys"
	wasi "github.com/tetratelabs/wazero/sys"
)

// openFile is a regular file or a folder that a module has open.
type openFile struct {
	sys.UnimplementedFile
	file   *os.File
	folder *folder
	name   string // in the folder, when it was opened
	dir    bool
	append bool
}

// Dev implements [sys.File].
func (f *openFile) Dev() (uint64, sys.Errno) {
	st, err := f.Stat()
	return st.Dev, err
}

// Ino implements [sys.File].
func (f *openFile) Ino() (wasi.Inode, sys.Errno) {
	st, err := f.Stat()
	return st.Ino, err
}

// IsDir implements [sys.File].
func (f *openFile) IsDir() (bool, sys.Errno) { return f.dir, 0 }

// IsAppend implements [sys.File].
func (f *openFile) IsAppend() bool { return f.append }

// SetAppend changes nothing: os.File is opened for appending or is not.
func (f *openFile) SetAppend(enable bool) sys.Errno {
	if f.dir || f.append == enable {
		return 0
	}
	return sys.ENOSYS
}

// Stat implements [sys.File].
func (f *openFile) Stat() (wasi.Stat_t, sys.Errno) { return status(f.file.Stat()) }

// Read implements [sys.File].
func (f *openFile) Read(buf []byte) (int, sys.Errno) {
	if f.dir {
		return 0, sys.EISDIR
	}
	return f.move(buf, func(piece []byte, _ int) (int, error) { return f.file.Read(piece) })
}

// Pread implements [sys.File].
func (f *openFile) Pread(buf []byte, off int64) (int, sys.Errno) {
	switch {
	case f.dir:
		return 0, sys.EISDIR
	case off < 0 || off > math.MaxInt64-int64(len(buf)):
		return 0, sys.EINVAL
	}
	return f.move(buf, func(piece []byte, at int) (int, error) { return f.file.ReadAt(piece, off+int64(at)) })
}

// position has go vet see that Seek is not io.Seeker's.
type position = int64

// Seek implements [sys.File].
func (f *openFile) Seek(offset position, whence int) (position, sys.Errno) {
	if f.dir && (offset != 0 || whence != io.SeekStart) || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, sys.EINVAL
	}
	at, err := f.file.Seek(offset, whence)
	return at, errno(err)
}

// Readdir implements [sys.File].
func (f *openFile) Readdir(n int) ([]sys.Dirent, sys.Errno) {
	if !f.dir {
		return nil, sys.ENOTDIR
	}
	var all []sys.Dirent
	for n <= 0 || len(all) < n {
		f.folder.look()
		piece := maxNames
		if n > 0 {
			piece = min(piece, n-len(all))
		}
		entries, err := f.file.ReadDir(piece)
		if err != nil && !errors.Is(err, io.EOF) {
			return all, errno(err)
		}
		for _, e := range entries {
			st := wasi.Stat_t{}
			if info, err := e.Info(); err == nil {
				st = wasi.NewStat_t(info)
			}
			all = append(all, sys.Dirent{Ino: st.Ino, Name: e.Name(), Type: e.Type() & fs.ModeType})
		}
		if len(entries) == 0 {
			break
		}
	}
	return all, 0
}

// Write implements [sys.File].
func (f *openFile) Write(buf []byte) (int, sys.Errno) {
	if f.dir {
		return 0, sys.EISDIR
	}
	return f.move(buf, func(piece []byte, _ int) (int, error) { return f.file.Write(piece) })
}

// Pwrite implements [sys.File]. A file that is open for appending takes no other place.
func (f *openFile) Pwrite(buf []byte, off int64) (int, sys.Errno) {
	switch {
	case f.dir:
		return 0, sys.EISDIR
	case off < 0 || off > math.MaxInt64-int64(len(buf)):
		return 0, sys.EINVAL
	case f.append:
		return f.Write(buf)
	}
	return f.move(buf, func(piece []byte, at int) (int, error) { return f.file.WriteAt(piece, off+int64(at)) })
}

// Truncate implements [sys.File].
func (f *openFile) Truncate(size int64) sys.Errno {
	switch {
	case f.dir:
		return sys.EISDIR
	case size < 0:
		return sys.EINVAL
	case f.folder.readOnly():
		return sys.EACCES
	}
	return errno(f.file.Truncate(size))
}

// Sync implements [sys.File].
func (f *openFile) Sync() sys.Errno { return errno(f.file.Sync()) }

// Datasync implements [sys.File].
func (f *openFile) Datasync() sys.Errno { return errno(f.file.Sync()) }

// Utimens changes the times of what has the file's name, as os.File has no way to change its
// own.
func (f *openFile) Utimens(access, changed int64) sys.Errno {
	here, err := f.file.Stat()
	if err != nil {
		return errno(err)
	}
	if there, err := f.folder.root.Stat(f.name); err != nil || !os.SameFile(here, there) {
		return sys.ENOENT
	}
	return f.folder.Utimens(f.name, access, changed)
}

// Close implements [sys.File].
func (f *openFile) Close() sys.Errno { return errno(f.file.Close()) }

// move is how much was read or written. The end of a file is none of its errors.
func (f *openFile) move(buf []byte, do func(piece []byte, at int) (int, error)) (int, sys.Errno) {
	n, err := inPieces(f.folder.look, buf, do)
	if err == nil || errors.Is(err, io.EOF) {
		return n, 0
	}
	if n > 0 {
		return n, 0 // the next one gets the error
	}
	return 0, errno(err)
}
