// Package registry reads nyash.toml, the single source of truth about names,
// ids and types (section 3 of the specification; docs/nyash-toml.md), and turns
// each method into a [Plan] by which arguments are encoded and results checked.
// It also holds the boxes that are written in Go.
//
// It is for package loader and for tools that look at nyash.toml. It knows
// nothing of libraries being loaded: what a library says of itself comes in as
// an abi.Description ([Box.Bind]).
//
// Everything that can be done once is done when the file is read: names are
// resolved, ids and pairs of types are checked, plans are made. A call then
// looks up nothing but its method's name.
//
// Errors in the file are [*Error] values with file, line and column; all that a
// file has come together as [Errors]. %+v shows the line with a caret and how
// to write it right.
//
// A [Config] and all in it are read-only after [Load] and safe for concurrent
// use.
package registry
