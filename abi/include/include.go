// Package include has the C header that plugins are built with, for programs
// that write it out.
package include

import _ "embed"

//go:embed nyash_plugin.h
var header string

// Name is the file name of the header.
const Name = "nyash_plugin.h"

// Header returns nyash_plugin.h.
func Header() string { return header }
