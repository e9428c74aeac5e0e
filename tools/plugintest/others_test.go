package plugintest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAndOthers(t *testing.T) {
	assert.Equal(t, "", andOthers(0))
	assert.Equal(t, " (and to another)", andOthers(1))
	assert.Equal(t, " (and to 2 others)", andOthers(2))
}
