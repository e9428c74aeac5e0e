package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FolderError means that a project cannot be made in the folder that was named: another one can be.
type FolderError struct{ err error }

func (e *FolderError) Error() string { return e.err.Error() }
func (e *FolderError) Unwrap() error { return e.err }

func folderErrorf(format string, args ...any) error {
	return &FolderError{fmt.Errorf(format, args...)}
}

// Write makes a folder with the files, or fills an empty one. After an error
// nothing of them is there. It is a [*FolderError] where the folder is at fault.
func Write(dir string, files []File) error {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return folderErrorf("%s: the folder is not empty; name another one, or a new one", dir)
	case err == nil:
		return fill(dir, files)
	case errors.Is(err, fs.ErrNotExist):
		return create(dir, files)
	case errors.Is(err, syscall.ENOTDIR):
		return folderErrorf("%s: it is a file, or lies in one; name another folder", dir)
	}
	return folderErrorf("%s: it cannot be looked into (%w); name another folder", dir, cause(err))
}

// cause leaves out the paths of an error about files, which may be temporary.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// create writes to a folder beside the new one, which then becomes it.
func create(dir string, files []File) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		return folderErrorf("%s: the folder %s does not exist; make it first", dir, parent)
	}
	temporary, err := stage(parent, files)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return errors.Join(fmt.Errorf("make the folder: %w", err), os.RemoveAll(temporary))
	}
	return nil
}

// fill writes to a folder inside the one that is there, which may be the
// current one or the root of a file system, and so cannot be replaced.
func fill(dir string, files []File) (err error) {
	temporary, err := stage(dir, files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	entries, err := os.ReadDir(temporary)
	if err != nil {
		return fmt.Errorf("fill the folder: %w", err)
	}
	for i, e := range entries {
		if err := os.Rename(filepath.Join(temporary, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			err = fmt.Errorf("fill the folder: %w", err)
			for _, moved := range entries[:i] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, moved.Name())))
			}
			return err
		}
	}
	return nil
}

// stage writes the files to a new folder in parent and returns its path.
func stage(parent string, files []File) (string, error) {
	dir, err := os.MkdirTemp(parent, ".nyash-new-")
	if err != nil {
		return "", folderErrorf("%s: nothing can be written there (%w); name another folder", parent, cause(err))
	}
	err = os.Chmod(dir, 0o755)
	for i := 0; i < len(files) && err == nil; i++ {
		file := filepath.Join(dir, filepath.FromSlash(files[i].Path))
		if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
			err = os.WriteFile(file, files[i].Data, 0o644)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", files[i].Path, cause(err))
		}
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("write the project: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}
