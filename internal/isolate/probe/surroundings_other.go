//go:build !linux

package probe

import (
	"errors"
)

var errSurroundings = errors.New("what a plugin changes in its process cannot be told on this system")

func surroundings(bool) (*Surroundings, error) { return nil, errSurroundings }
