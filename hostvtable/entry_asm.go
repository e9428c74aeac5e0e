//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package hostvtable

// slots is the number of tables, and canConnect of those that a library can connect
// through; entry_$GOARCH.s holds kinds entry points for each.
const (
	slots      = 4096
	canConnect = slots
)

// entered is what the entry points call: the assembly finds the code of enter in it.
var entered func(*frame) //nolint:unused // read by entry_$GOARCH.s

// The assembly sets these two: where the entry points begin, and how many bytes
// each takes.
var (
	entryBase uintptr
	entrySize uintptr

	// leafCopyStart is where reading a line of a leaf method begins, and leafCopyFailed where
	// it goes on after a fault.
	leafCopyStart, leafCopyFailed uintptr
)

// leafCopySize is no less than the bytes of code that read the line.
const leafCopySize = 48

func startEntryPoints() { entered = enter }

func entryPoint(slot, kind int) uintptr {
	return entryBase + uintptr(slot*kinds+kind)*entrySize
}
