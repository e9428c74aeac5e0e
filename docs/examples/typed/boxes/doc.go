// Package boxes has a Go type for each box that the example uses. All but this file is
// generated from nyash.toml and from what the plugins say of themselves:
// `make plugins` first, then `go generate ./docs/examples/typed/boxes`.
package boxes

//go:generate go run github.com/nyash-plugins/nyash-go/cmd/nyash gen go --box FileBox,MathBox --out boxes.gen.go ../../../../nyash.toml
