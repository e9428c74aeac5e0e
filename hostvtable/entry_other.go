//go:build nyash_portable || (!amd64 && !arm64)

package hostvtable

// slots is small here: without entry points in assembly each needs callbacks of
// its own, of which a process has 2,000 (1,024 on Windows).
const (
	slots      = 128
	canConnect = slots
)

func startEntryPoints() {}

// entryPoint is called with the tables locked, for each entry point once.
func entryPoint(slot, kind int) uintptr { return newCallback(slot, kind) }
