// Package registry reads nyash.toml, the single source of truth about names, ids
// and types (section 3 of the specification; docs/nyash-toml.md).
//
// It is for tools that look at a nyash.toml, and for programs that give one to
// loader.OpenConfig instead of a path. [Load] or [Parse] makes a [Config]; its
// [Box]es and [Method]s say what the file says. What a library says of itself
// comes in as an abi.Description ([Box.Bind]), because the package itself loads
// no library; the result, a [Type], is what loader's Box.Type returns.
//
// Mistakes in the file are [*Error] values with file, line and column; all that a
// file has come together as [Errors]. %+v shows the line with a caret and how to
// write it right.
//
// A [Config] and all in it are read-only after [Load] and safe for concurrent
// use.
//
// Boxes that are written in Go are in package registry/builtin.
package registry
