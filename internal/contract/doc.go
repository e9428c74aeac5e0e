// Package contract holds the rules that a host, its workers and the tester
// share: what a plugin may say of itself, and how text that came from one is
// shown. Each is written once.
//
// All functions are safe for concurrent use.
package contract
