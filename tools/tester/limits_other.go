//go:build !linux

package tester

// limitsWork tells whether workers keep limits.
const limitsWork = false
