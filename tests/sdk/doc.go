// Package sdk tests what plugins/sdk gives to the authors of plugins, and the plugins
// of this repository that are written with it: it compiles plugins in C, C++ and Rust,
// and calls them from Go, from C and under valgrind.
//
// NYASH_TEST_SDK=all, which `make sdk` sets, runs everything; without it, what takes
// long is left out or done in a sample.
package sdk
