//go:build !linux

package worker

import "github.com/nyash-plugins/nyash-go/loader/process/channel"

func surroundings(bool) (*channel.Surroundings, error) { return nil, errSurroundings }
