// Package isolation holds the tests of plugins in processes of their own.
package isolation
