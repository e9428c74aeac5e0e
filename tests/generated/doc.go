// Package generated tests what `nyash gen` writes by using it: a plugin on the golden files
// of each language through the golden host code, and this repository's plugins through
// docs/examples/typed/boxes.
package generated
