// Package permit is the model of what nyash.toml lets a plugin do: what its table
// [plugins.X.permissions] says, and what follows from that. Nothing here asks the system or
// enforces anything.
package permit

import (
	"path/filepath"
	"slices"
	"strings"
)

// Key is a key of the table.
type Key string

// The keys.
const (
	Read    Key = "read"    // files and folders that may be read
	Write   Key = "write"   // and that may be read and changed
	Connect Key = "connect" // addresses
	Listen  Key = "listen"
	Run     Key = "run" // programs
)

// Keys are all of them.
var keys = []Key{Read, Write, Connect, Listen, Run}

// Keys lists the keys, in the order of the documentation.
func Keys() []Key { return slices.Clone(keys) }

// Permissions are what a plugin may do; what they do not list is refused. Nil are those of a
// plugin that nothing is said of.
type Permissions struct {
	// Grants are the lines of each key, as written, but with ~ resolved; paths are relative to
	// nyash.toml.
	Grants map[Key][]string
}

// Mount is a folder that a WebAssembly module sees.
type Mount struct {
	Host  string // absolute
	Guest string // as the module calls it; "." for a folder that has no name
	Write bool
	Where string `json:",omitempty"` // the place in nyash.toml that grants it, for errors; may be empty
}

// Mounts are the folders of read and write; dir is that of nyash.toml, and absolute. A module
// finds each by its absolute path, and a folder in dir by its path from there: so both work
// that a plugin in the host's process would use if the host ran in dir.
func (p *Permissions) Mounts(dir string) []Mount {
	if p == nil {
		return nil
	}
	var all []Mount
	for _, key := range []Key{Write, Read} { // who has both may write
		for _, path := range p.Grants[key] {
			all = appendMounts(all, dir, path, key == Write)
		}
	}
	return all
}

func appendMounts(all []Mount, dir, path string, write bool) []Mount {
	host := path
	if !filepath.IsAbs(host) {
		host = filepath.Join(dir, host)
	}
	host = filepath.Clean(host)
	guests := []string{guestPath(host)}
	if rel, err := filepath.Rel(dir, host); err == nil && filepath.IsLocal(rel) {
		guests = append(guests, guestPath(rel))
	}
	for _, guest := range guests {
		if !slices.ContainsFunc(all, func(m Mount) bool { return m.Guest == guest }) {
			all = append(all, Mount{Host: host, Guest: guest, Write: write})
		}
	}
	return all
}

// Nested finds a folder of read that lies in one of write, as far as their paths tell: the module
// could move or link its way around what it may only read. i is the index in read.
func (p *Permissions) Nested() (i int, write string, ok bool) {
	for i, read := range p.Grants[Read] {
		if slices.ContainsFunc(p.Grants[Write], func(w string) bool { return filepath.Clean(w) == filepath.Clean(read) }) {
			continue // who has both may write
		}
		for _, write := range p.Grants[Write] {
			if rel, err := filepath.Rel(write, read); err == nil && filepath.IsLocal(rel) {
				return i, write, true
			}
		}
	}
	return 0, "", false
}

// guestPath is a path as a module writes it: with slashes, and no drive's colon.
func guestPath(path string) string {
	return strings.TrimPrefix(filepath.ToSlash(path), filepath.VolumeName(path))
}
