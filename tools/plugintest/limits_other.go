//go:build !linux

package plugintest

// limitsWork tells whether workers keep limits.
const limitsWork = false
