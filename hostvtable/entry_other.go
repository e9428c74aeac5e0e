//go:build !amd64 && !arm64

package hostvtable

import "github.com/ebitengine/purego"

// slots is small here: without entry points in assembly each needs callbacks of
// its own, of which a process has 2,000 (1,024 on Windows).
const slots = 128

var callbacks [slots * kinds]uintptr

func startEntryPoints() {}

// entryPoint is called with the tables locked.
func entryPoint(slot, kind int) uintptr {
	number := slot*kinds + kind
	if callbacks[number] == 0 {
		callbacks[number] = purego.NewCallback(func(a, b uintptr) uintptr {
			return enter(a, b, uintptr(number))
		})
	}
	return callbacks[number]
}
