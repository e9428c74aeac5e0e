// Package wasm lets a program load plugins that are WebAssembly modules (docs/wasm.md):
//
//	import _ "github.com/nyash-plugins/nyash-go/loader/wasm"
//
// A nyash.toml that names a library ending in .wasm needs nothing more. It is a package of its
// own because of the engine, which is larger than the loader.
package wasm

import (
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/wasm"
)

func init() { modules.Register(wasm.New) }
