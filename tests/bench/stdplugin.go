package main

import (
	"path/filepath"
	"plugin"
	"testing"
)

// addStdPlugin measures Go's plugin package: no foreign code, and a plugin that
// must be built by the same toolchain with the same dependencies.
func addStdPlugin(t *table, dir, _ string) (end func(), err error) {
	p, err := plugin.Open(filepath.Join(dir, "std.so"))
	if err != nil {
		return nil, err
	}
	symbol, err := p.Lookup("Add")
	if err != nil {
		return nil, err
	}
	add := symbol.(func(a, b int64) int64)
	if symbol, err = p.Lookup("Echo"); err != nil {
		return nil, err
	}
	echo := symbol.(func(dst, data []byte) []byte)
	t.add(workAdd, viaStd, func(b *testing.B) {
		x := int64(b.N)
		for b.Loop() {
			check(b, add(x, 2000), int(x)+2000)
		}
	})
	for work, size := range echoes {
		t.add(work, viaStd, func(b *testing.B) {
			data, dst := make([]byte, size), make([]byte, size)
			for b.Loop() {
				dst = echo(dst, data)
			}
		})
	}
	return nil, nil
}
