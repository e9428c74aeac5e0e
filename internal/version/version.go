// Package version is what the commands say of themselves. It has no state.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Of is a program's version in one line, and the plugin ABI's.
func Of(program string) string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return fmt.Sprintf("%s %s, plugin ABI %d, %s %s/%s", program, version, abi.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
