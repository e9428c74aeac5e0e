package abi_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/abi"
)

func TestCode(t *testing.T) {
	tests := []struct {
		name  string
		code  abi.Code
		value int32
		known bool
		text  string
	}{
		{"success", abi.OK, 0, true, "success (0)"},
		{"short buffer", abi.ErrShortBuffer, -1, true, "short buffer (-1)"},
		{"invalid type", abi.ErrInvalidType, -2, true, "invalid type (-2)"},
		{"invalid method", abi.ErrInvalidMethod, -3, true, "invalid method (-3)"},
		{"invalid arguments", abi.ErrInvalidArgs, -4, true, "invalid arguments (-4)"},
		{"plugin error", abi.ErrPlugin, -5, true, "plugin error (-5)"},
		{"out of memory", abi.ErrOutOfMemory, -6, true, "out of memory (-6)"},
		{"invalid UTF-8", abi.ErrInvalidUTF8, -7, true, "invalid UTF-8 (-7)"},
		{"invalid handle", abi.ErrInvalidHandle, -8, true, "invalid handle (-8)"},
		{"version mismatch", abi.ErrVersionMismatch, -9, true, "version mismatch (-9)"},
		{"not permitted", abi.ErrNotPermitted, -10, true, "not permitted (-10)"},
		{"just below the list", -11, -11, false, "plugin error (-11)"},
		{"just above the list", 1, 1, false, "plugin error (1)"},
		{"a plugin's own negative number", -42, -42, false, "plugin error (-42)"},
		{"a plugin's own positive number", 7, 7, false, "plugin error (7)"},
		{"lowest", math.MinInt32, math.MinInt32, false, "plugin error (-2147483648)"},
		{"highest", math.MaxInt32, math.MaxInt32, false, "plugin error (2147483647)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.value, int32(tt.code), "number")
			assert.Equal(t, tt.known, tt.code.Known(), "Known")
			assert.Equal(t, tt.text, tt.code.Error(), "Error")

			for _, other := range tests {
				same := tt.code == other.code
				ownNumber := !tt.known && other.code == abi.ErrPlugin
				assert.Equal(t, same || ownNumber, tt.code.Is(other.code), "Is %v", other.code)
			}
		})
	}
}

func TestCodeThroughWrapping(t *testing.T) {
	tests := []struct {
		name   string
		cause  abi.Code
		target error
		want   bool
	}{
		{"same code", abi.ErrInvalidHandle, abi.ErrInvalidHandle, true},
		{"another code", abi.ErrInvalidHandle, abi.ErrPlugin, false},
		{"own number is a plugin error", -42, abi.ErrPlugin, true},
		{"positive number is a plugin error", 7, abi.ErrPlugin, true},
		{"own number keeps its number", -42, abi.Code(-42), true},
		{"own number is no other number", -42, abi.Code(7), false},
		{"a plugin error is no special number", abi.ErrPlugin, abi.Code(-42), false},
		{"not a code", abi.ErrPlugin, errors.New("plugin error (-5)"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := fmt.Errorf("FileBox.open: %w", fmt.Errorf("call: %w", tt.cause))
			assert.Equal(t, tt.want, errors.Is(err, tt.target))

			var code abi.Code
			if assert.ErrorAs(t, err, &code) {
				assert.Equal(t, tt.cause, code)
			}
		})
	}
}
