package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// Found is a library that a person has named.
type Found struct {
	File  string
	Entry string // how a nyash.toml names the library; empty for a directory
	// ManifestDir is where its nyash_box.toml is; empty for beside the library.
	ManifestDir string
	Library     *registry.Library // the entry of the nyash.toml that named it, or nil
	Warnings    registry.Errors   // about the nyash.toml, where it was read
}

// Find finds the library that a person names: a file, or as in a nyash.toml, where
// there is one, a name for its search paths or one of its boxes. A nyash_box.toml stands for
// the library that it names. The boxes of the program that the nyash.toml is for are not
// known: names in it that nobody provides are warnings.
func Find(name, config string) (found Found, err error) {
	named := !strings.ContainsRune(name, '/') && !strings.ContainsRune(name, filepath.Separator)
	info, err := os.Stat(name)
	switch {
	case !named && errors.Is(err, fs.ErrNotExist):
		return found, fmt.Errorf("%s: %w; build the library, or name another file", name, fs.ErrNotExist)
	case err == nil && !info.IsDir() && filepath.Base(name) == registry.ManifestName:
		found = Found{Entry: relative(name, config), ManifestDir: filepath.Dir(name)}
		found.File, err = (&registry.Config{Dir: "."}).Find(&registry.Library{Name: filepath.ToSlash(name)})
		return found, err
	case !named || err == nil && !info.IsDir():
		return Found{File: name, Entry: relative(name, config)}, err
	}
	c, configErr := registry.Load(config)
	switch {
	case errors.Is(configErr, fs.ErrNotExist) && err == nil:
		return Found{File: name}, nil // a directory, which Run refuses
	case errors.Is(configErr, fs.ErrNotExist):
		return found, fmt.Errorf("%s: %w; a name is looked for in the search paths of a nyash.toml, and %s does not exist", name, fs.ErrNotExist, config)
	case configErr != nil:
		return found, configErr
	}
	found.Warnings = c.CheckUses(builtin.Methods(builtin.All()))
	l := &registry.Library{Name: name}
	if b, ok := c.Box(name); ok {
		l = b.Library
	}
	for _, declared := range c.Libraries {
		if declared.Name == name {
			l = declared
		}
	}
	file, findErr := c.Find(l)
	found.File, found.Entry, found.ManifestDir = file, cmp.Or(l.Path, l.Name), c.ManifestDir(l, file)
	var notFound *registry.NotFoundError
	switch {
	case findErr != nil && err == nil:
		return Found{File: name}, nil // the directory
	case errors.As(findErr, &notFound) && l.Pos == (registry.Position{}):
		return found, fmt.Errorf("%s: %w%s; neither %s nor a search path of it has that name; tried:\n\t%s", name, fs.ErrNotExist, suggest.DidYouMean(name, namesIn(c)), config, strings.Join(notFound.Tried, "\n\t"))
	}
	if len(l.Boxes) > 0 {
		found.Library = l
	}
	return found, findErr
}

// namesIn are the boxes and libraries of a nyash.toml.
func namesIn(c *registry.Config) (all []string) {
	for _, b := range c.Boxes {
		all = append(all, b.Name)
	}
	for _, l := range c.Libraries {
		all = append(all, l.Name)
	}
	return all
}

// relative is a path as a nyash.toml would have it.
func relative(file, config string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	dir, err := filepath.Abs(filepath.Dir(config))
	if err != nil {
		return abs
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil {
		return abs
	}
	if rel = filepath.ToSlash(rel); !strings.Contains(rel, "/") {
		rel = "./" + rel // else it would be a name
	}
	return rel
}
