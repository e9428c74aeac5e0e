package registry_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
)

func BenchmarkMethod(b *testing.B) {
	d := abi.Description{TypeID: 6, TypeName: "FileBox"}
	for i, name := range []string{"open", "read", "write", "close", "readAll", "writeAll", "seek", "copyFrom", "setCompressionLevel"} {
		d.Methods = append(d.Methods, abi.Method{ID: uint32(i) + 1, Name: name})
	}
	typ, err := box(b, parse(b, "[plugins]\nFileBox = \"x\""), "FileBox").Bind(d)
	require.NoError(b, err)
	for _, name := range []string{"read", "setCompressionLevel"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := typ.Method(name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
