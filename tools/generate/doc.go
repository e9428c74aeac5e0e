// Package generate writes source code for boxes: typed Go for programs that call them,
// and tables and prototypes for plugins that provide them, in C, C++ and Rust.
//
//	types, warnings, err := generate.HostBoxes(ctx, host, nil)
//	text, err := generate.Go("plugins", types)
//	_, err = generate.Write("plugins.gen.go", "go", text)
//
// The same boxes always give the same text. Docs and names may come from a library, which
// is not trusted: a name becomes an identifier or an escaped string, and a doc a comment
// that it cannot end.
//
// All functions are safe for concurrent use.
package generate
