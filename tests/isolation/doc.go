// Package isolation tests plugins in processes of their own: crashes, hangs, limits
// and hostile plugins. Each test ends with the host alive and the next call right.
package isolation
