//go:build nyash_portable || windows || (!amd64 && !arm64)

package hostvtable

import "github.com/ebitengine/purego"

// newCallback makes an entry point without assembly. It costs reflection and some
// allocations at each call.
func newCallback(slot, kind int) uintptr {
	number := uintptr(slot*kinds + kind)
	switch kind {
	case kindInvoke:
		return purego.NewCallback(func(a, b, c, d, e, f, g uintptr) uintptr {
			return enterFrame(&frame{number: number, args: [7]uintptr{a, b, c, d, e, f, g}})
		})
	case kindResolve:
		return purego.NewCallback(func(a, b, c, d uintptr) uintptr {
			return enterFrame(&frame{number: number, args: [7]uintptr{a, b, c, d}})
		})
	}
	return purego.NewCallback(func(a, b uintptr) uintptr {
		return enterFrame(&frame{number: number, args: [7]uintptr{a, b}})
	})
}

func enterFrame(f *frame) uintptr {
	enter(f)
	return f.result
}
