package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestComparesTime has a method follow time, and findings whose own method does, or whose fault shows in it.
func TestComparesTime(t *testing.T) {
	b := &box{name: "Pace"}
	e := &env{
		plugin: &plugin{boxes: []*box{b}},
		shared: &shared{learned: true, pace: &pace{known: map[*box]map[string]bool{b: {"left": true}}}},
	}
	for name, c := range map[string]struct {
		f    Finding
		want bool
	}{
		"its own":           {Finding{Code: codeRace, Box: "Pace", Method: "left"}, true},
		"in a later call":   {Finding{Code: codeRace, Box: "Pace", Method: "fini", Steps: []Step{{Call: "fini()"}, {Call: "left()", Fault: true}}}, true},
		"in another call":   {Finding{Code: codeRace, Box: "Pace", Method: "fini", Steps: []Step{{Call: "left()"}, {Call: "size(1)", Fault: true}}}, false},
		"of no known box":   {Finding{Code: codeRace, Box: "Other", Method: "left"}, false},
		"without any steps": {Finding{Code: codeRace, Box: "Pace", Method: "fini"}, false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, e.comparesTime(&c.f)) })
	}
}
