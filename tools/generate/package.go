package generate

import (
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
)

// Package is the Go package that a file belongs to: the one it has, that of the other
// files of its folder, or else the folder's name. It is empty where that is no name for
// a package.
func Package(path string) string {
	// Of what is no regular file, reading might have no end.
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		if f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly); err == nil {
			return f.Name.Name
		}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return ""
	}
	// Whatever else is wrong with the folder, the first file that has a package names it.
	if p, _ := build.ImportDir(dir, 0); p != nil && p.Name != "" {
		return p.Name
	}
	if name := filepath.Base(dir); token.IsIdentifier(name) && name != "_" {
		return name
	}
	return ""
}
