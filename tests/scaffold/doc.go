// Package scaffold has the end-to-end tests of `nyash new`, and those of the
// SDKs for Go and Zig.
package scaffold
