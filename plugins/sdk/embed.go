// Package sdk has the files of the SDKs for plugin authors, so that a program
// can write them out without this repository.
package sdk

import (
	"embed"
	"io/fs"
)

// Cargo.lock, tests and what is built stay behind: an author needs none of them.
//
//go:embed c/nyash.h c/nyash_use.h cpp/nyash.hpp cpp/nyash_use.hpp nyash.map
//go:embed rust/Cargo.toml rust/README.md rust/src rust/examples
//go:embed go/nyash/nyash.go zig/nyash.zig
var files embed.FS

// Files returns the SDKs by their paths in plugins/sdk.
func Files() fs.FS { return files }
