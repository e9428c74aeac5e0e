//go:build !linux

package plugintest

import "time"

type schedule struct{}

func scheduleOf(int) schedule { return schedule{} }

func (schedule) isStarved(schedule, time.Duration) bool { return false }
