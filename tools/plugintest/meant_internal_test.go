package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMeantShared(t *testing.T) {
	tests := map[string]bool{
		"Numbers of all boxes of the library, key=value on each line.": true,
		"The classes, which all instances have.":                       true,
		"How many there are in the whole plugin.":                      true,
		"A library-wide count.":                                        true,
		"All names in the library.":                                    true,
		"Numbers of this box.":                                         false,
		"Adds what the other box has.":                                 false,
		"The books of the library that are lent.":                      false,
		"All books.": false,
	}
	for doc, want := range tests {
		assert.Equal(t, want, meantShared.MatchString(doc), doc)
	}
}
