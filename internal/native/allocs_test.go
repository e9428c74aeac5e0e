//go:build !nyash_portable && (amd64 || arm64) && unix

package native_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

func TestConnect_DoesNotAllocate(t *testing.T) {
	ctx := t.Context()
	lib := open(t, native.Config{File: connecting(t), Sink: quiet{}})
	c := &abi.Call{TypeID: 1, Method: 1}
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		if lib.Invoke(ctx, c) != nil {
			t.Fail()
		}
	}))
}
