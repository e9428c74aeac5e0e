package shm

import (
	"io"
	"time"
)

// answerBell has the host look for lines whenever the worker rings, until its bell
// is gone. One that rings without a reason has the host rest, so that it costs
// little.
func answerBell(bell io.Reader, look func() (some bool), rest func()) {
	buf := make([]byte, 64)
	for {
		if _, err := bell.Read(buf); err != nil {
			return
		}
		if !look() {
			rest()
		}
	}
}

// rest is what answerBell does between rings. It happens without fault of the
// worker's, too: a call that returned has read the line that was rung for.
func rest() {
	time.Sleep(time.Millisecond) //nolint:forbidigo // there is no condition to wait for
}
