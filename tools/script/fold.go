package script

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

const (
	maxCycle  = 8  // frames of a recursion that is seen as one
	minCycles = 3  // how often they repeat where they are folded
	maxShown  = 50 // lines of a stack at either end
)

// folded is a call stack as text, as starlark writes it, without what repeats: a recursion has 100,000 frames.
func folded(stack starlark.CallStack) string {
	var lines []string
	for i := 0; i < len(stack); {
		frames, times := cycleAt(stack[i:])
		for _, f := range stack[i : i+frames] {
			lines = append(lines, fmt.Sprintf("  %s: in %s", f.Pos, f.Name))
		}
		if times > 1 {
			lines = append(lines, fmt.Sprintf("  … %s %d times more", repeated(frames), times-1))
		}
		i += frames * times
	}
	if left := len(lines) - 2*maxShown; left > 0 {
		lines = slices.Replace(lines, maxShown, maxShown+left, fmt.Sprintf("  … %d lines more", left))
	}
	return "Traceback (most recent call last):\n" + strings.Join(lines, "\n") + "\n"
}

func repeated(frames int) string {
	if frames == 1 {
		return "the same"
	}
	return fmt.Sprintf("the same %d", frames)
}

// cycleAt is how many frames at the beginning repeat, and how often they are there. It is one frame, once,
// where they do not repeat often enough.
func cycleAt(stack starlark.CallStack) (frames, times int) {
	for n := 1; n <= maxCycle && n*minCycles <= len(stack); n++ {
		same := 0
		for same+n < len(stack) && stack[same] == stack[same+n] {
			same++
		}
		if times := same/n + 1; times >= minCycles {
			return n, times
		}
	}
	return 1, 1
}
