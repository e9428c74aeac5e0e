//go:build !linux

package worker

import (
	"errors"

	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

var errSurroundings = errors.New("what a plugin changes in its process cannot be told on this system")

func surroundings(bool) (*channel.Surroundings, error) { return nil, errSurroundings }
