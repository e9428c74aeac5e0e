package calls

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBudget(t *testing.T) {
	b := NewBudget(10)
	assert.True(t, b.Take(100), "one may be larger than all")
	assert.False(t, b.Take(1))
	b.Give(100)
	assert.True(t, b.Take(4))
	assert.True(t, b.Take(6))
	assert.False(t, b.Take(1))
	b.Give(4)
	assert.True(t, b.Take(4))
	assert.EqualValues(t, 10, b.Most())
}
