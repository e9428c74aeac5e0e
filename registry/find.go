package registry

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// defaultSearchPaths serve a file without search_paths.
var defaultSearchPaths = []string{".", "./plugins/*/build"}

// NotFoundError is a library that is in none of the places where it may be. It
// matches fs.ErrNotExist.
type NotFoundError struct {
	Position
	Library string
	Tried   []string // every path, in order
	Module  string   // a WebAssembly module that would have been found by its name with .wasm; empty for none
}

func (e *NotFoundError) Error() string {
	if len(e.Tried) > 0 && filepath.Base(e.Tried[0]) == ManifestName {
		return fmt.Sprintf("%v: library %s not found: there is no %s; correct the path, or write the library's own", e.Position, e.Library, e.Tried[0])
	}
	if e.Module != "" {
		return fmt.Sprintf("%v: library %s not found; there is %s, a WebAssembly module: write its ending, %q", e.Position, e.Library, e.Module, trimExtension(e.Library)+moduleExtension)
	}
	tried := "no search path exists"
	if len(e.Tried) > 0 {
		tried = "tried:\n\t" + strings.Join(e.Tried, "\n\t")
	}
	return fmt.Sprintf("%v: library %s not found; build it, or fix its name or search_paths; %s", e.Position, e.Library, tried)
}

// Is matches fs.ErrNotExist.
func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// Find looks for a library's file. What holds a separator is a path, relative
// to nyash.toml; a name is looked for in the search paths under every file name
// that the platform could give it. A path to a nyash_box.toml stands for the library that this
// names for the system, and nothing stands for one that is not there. The result is an
// absolute path.
func (c *Config) Find(l *Library) (string, error) { return c.FindBy(l, exists) }

// FindBy is Find for a caller that looks at files itself: exists reports whether an absolute
// path leads to a file, and is asked for one after the other until it does. What a manifest
// names is not asked for.
func (c *Config) FindBy(l *Library, exists func(path string) bool) (string, error) {
	file, err := c.find(l, exists)
	if err != nil || filepath.Base(file) != ManifestName {
		return file, err
	}
	return artifact(file)
}

// ManifestDir is where the nyash_box.toml of a library is that Find has found in file: the
// folder of the one that nyash.toml names, or the library's. See [LoadManifest].
func (c *Config) ManifestDir(l *Library, file string) string {
	if filepath.Base(l.Name) == ManifestName || filepath.Base(l.Path) == ManifestName {
		if named, err := c.find(l, exists); err == nil && filepath.Base(named) == ManifestName {
			file = named
		}
	}
	return filepath.Dir(file)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c *Config) find(l *Library, exists func(path string) bool) (string, error) {
	e := &NotFoundError{Position: l.Pos, Library: l.Name}
	try := func(dir string, names []string) string {
		// Once for all names: it asks the system for the working directory.
		dir, err := filepath.Abs(dir)
		if err != nil {
			return ""
		}
		for _, name := range names {
			path := filepath.Join(dir, name)
			if exists(path) {
				return path
			}
			if !slices.Contains(e.Tried, path) {
				e.Tried = append(e.Tried, path)
			}
		}
		return ""
	}
	for _, path := range []string{l.Path, l.Name} {
		if !isPath(path) {
			continue
		}
		path = c.relative(path)
		if abs, err := filepath.Abs(path); err == nil {
			if exists(abs) {
				return abs, nil
			}
			if filepath.Base(abs) == ManifestName { // a library that is elsewhere would lack it
				e.Tried = []string{abs}
				return "", e
			}
		}
		// That of another platform serves too.
		names := append([]string{filepath.Base(path)}, fileNames(filepath.Base(path))...)
		if found := try(filepath.Dir(path), names); found != "" {
			return found, nil
		}
	}
	name := l.Name
	if l.Path != "" && !isPath(l.Path) {
		name = l.Path
	}
	if isPath(name) {
		return "", e.withModule()
	}
	for _, dir := range c.searchDirs() {
		if found := try(dir, fileNames(name)); found != "" {
			return found, nil
		}
	}
	return "", e.withModule()
}

// withModule looks for a module where a library was looked for.
func (e *NotFoundError) withModule() error {
	for _, path := range e.Tried {
		path = trimExtension(path) + moduleExtension
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			e.Module = path
			break
		}
	}
	return e
}

// trimExtension removes the extension of a library, of any platform.
func trimExtension(name string) string {
	for _, ext := range extensions {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// searchDirs expands the search paths.
func (c *Config) searchDirs() []string {
	paths := c.SearchPaths
	if paths == nil {
		paths = defaultSearchPaths
	}
	var dirs []string
	for _, path := range paths {
		path = c.relative(path)
		if !strings.ContainsAny(path, "*?[") {
			dirs = append(dirs, path)
			continue
		}
		// The only error is a malformed pattern, which then matches nothing,
		// and the error that lists what was tried shows that.
		matches, _ := filepath.Glob(path)
		dirs = append(dirs, matches...)
	}
	return dirs
}

// relative resolves ~ and paths relative to nyash.toml.
func (c *Config) relative(path string) string {
	path = expandHome(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

// expandHome resolves ~.
func expandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/') {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

var extensions = []string{".so", ".dylib", ".dll"}

func extension() string {
	switch runtime.GOOS {
	case "darwin", "ios":
		return ".dylib"
	case "windows":
		return ".dll"
	}
	return ".so"
}

// fileNames lists the file names that a library's name can stand for here: with
// and without the lib prefix, with - and with _. An extension that the name has already,
// even another platform's, is not added again. A name that begins with lib may have that
// as its prefix, or be a word like library.
func fileNames(name string) []string {
	suffix := extension()
	if stem, ok := strings.CutSuffix(name, moduleExtension); ok {
		name, suffix = stem, moduleExtension // which is the same on every platform
	}
	name = trimExtension(name)
	stem := strings.TrimPrefix(name, "lib")
	var all []string
	for _, n := range []string{name, stem, "lib" + stem, "lib" + name} {
		for _, n := range []string{n, strings.ReplaceAll(n, "-", "_"), strings.ReplaceAll(n, "_", "-")} {
			if file := n + suffix; !slices.Contains(all, file) {
				all = append(all, file)
			}
		}
	}
	return all
}
