// Package contract holds the rules that a host, its workers and the tester
// share, each written once: the sizes of result buffers and the retries after a
// short one, the result of a birth, what a plugin may say of itself, and how text
// that came from one is shown.
//
// All functions are safe for concurrent use.
package contract
