//go:build amd64 || arm64

package hostvtable

import "github.com/ebitengine/purego"

// slots is the number of tables; entry_$GOARCH.s holds kinds entry points for
// each.
const slots = 4096

// callback is the address that every entry point jumps to. The assembly reads
// it.
var callback uintptr //nolint:unused // read by entry_$GOARCH.s

// The assembly sets these two: where the entry points begin, and how many bytes
// each takes.
var (
	entryBase uintptr
	entrySize uintptr
)

func startEntryPoints() { callback = purego.NewCallback(enter) }

func entryPoint(slot, kind int) uintptr {
	return entryBase + uintptr(slot*kinds+kind)*entrySize
}
