// Package builtin is for boxes that are written in Go: ConsoleBox and TimeBox,
// which every host offers, and those that a program makes for itself and gives to
// loader.WithBuiltins. loader.WithBox makes a box of any Go type with exported methods, and
// is the short way; a [Box] decides names, types and values itself.
//
// A host calls them like plugins: arguments are converted and checked by the
// method's signature, and results are copies. A plugin that nyash.toml declares
// under the same name takes their place, and so does a box of loader.WithBox.
package builtin
