//go:build darwin || freebsd || linux || netbsd

package hostvtable

import "github.com/ebitengine/purego"

// findLibc takes what the process itself would call, so that an allocator
// which was preloaded, or a checker that replaced it, is used too.
func findLibc(name string) (uintptr, error) {
	return purego.Dlsym(purego.RTLD_DEFAULT, name)
}
