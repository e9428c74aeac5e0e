package plugintest

import (
	crand "crypto/rand"
)

// markName is the variable that all processes of a run have in their environment.
const markName = "NYASH_PLUGIN_TESTER_RUN"

// newMark is a variable that no other run has.
func newMark() string { return markName + "=" + crand.Text() }
