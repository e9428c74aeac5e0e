//go:build !nyash_portable && (amd64 || arm64)

package hostvtable

import "github.com/ebitengine/purego"

// slots is the number of tables; entry_windows_$GOARCH.s holds shared entry points for
// each.
//
// canConnect is how many of them a library can connect through: the entry points of
// resolve and invoke are callbacks of the system's, two for each table, of which a process
// has at least 1,024.
const (
	slots      = 4096
	canConnect = 256
)

// shared is the number of kinds that have entry points in assembly.
const shared = kindFree + 1

// callback is the address that the shared entry points jump to. The assembly reads
// it.
var callback uintptr //nolint:unused // read by entry_windows_$GOARCH.s

// The assembly sets these two: where the entry points begin, and how many bytes
// each takes.
var (
	entryBase uintptr
	entrySize uintptr
)

func startEntryPoints() {
	callback = purego.NewCallback(func(a, b, number uintptr) uintptr {
		return enterFrame(&frame{number: number/shared*kinds + number%shared, args: [7]uintptr{a, b}})
	})
}

// entryPoint is called with the tables locked, for each entry point once.
func entryPoint(slot, kind int) uintptr {
	if kind < shared {
		return entryBase + uintptr(slot*shared+kind)*entrySize
	}
	return newCallback(slot, kind)
}
