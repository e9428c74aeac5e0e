//go:build !race

package ccbuild

const raceDetector = false
