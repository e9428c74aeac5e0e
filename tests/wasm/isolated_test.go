package wasm

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// inWorkers runs a test with modules in workers that are reached by each channel, in the
// sample by shared memory alone.
func inWorkers(t *testing.T, test func(t *testing.T)) {
	for _, channel := range []string{"memory", "pipe"}[:hosttest.Rounds(2)] {
		t.Run(channel, func(t *testing.T) {
			t.Setenv("NYASH_TEST_ISOLATION", "process")
			t.Setenv("NYASH_TEST_CHANNEL", channel)
			test(t)
		})
	}
}

// TestIsolated: a module in a worker does what one in the host's process does.
func TestIsolated(t *testing.T) {
	same := map[string]func(*testing.T){
		"calls": TestCalls, "memory of blobs": TestCalls_LeaveNoMemory, "interrupt": TestInterrupt, "restart": TestRestart,
		"lies": TestLies, "memory limit": TestMemoryLimit, "errors": TestErrorsOfCalls, "log and wake": TestLogAndWake,
		"instances": TestInstances, "instances at once": TestInstances_AtOnce, "shutdown": TestInterrupt_Shutdown,
		"folders": TestFolders, "read only": TestFolders_ReadOnly, "no way out": TestFolders_NoWayOut, "refused": TestFolders_Refused,
		"own links": TestFolders_OwnLinks, "no folders": TestFolders_None, "missing folders": TestFolders_Missing,
		"prints at start": TestStartPrints, "cache": TestCache, "no cache": TestCache_NotUsed,
	}
	inWorkers(t, func(t *testing.T) {
		for name, test := range same {
			t.Run(name, test)
		}
		for _, f := range faults {
			t.Run(f.fault, f.test)
		}
	})
}

// TestIsolated_Abandoned: a call ends with its context, and the worker with the next that it holds
// up.
func TestIsolated_Abandoned(t *testing.T) {
	inWorkers(t, func(t *testing.T) {
		box := newBox(t, open(t, `cancel_grace = "20ms"`))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := box.Call(ctx, "spin")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = box.Call(t.Context(), "add", 1, 2)
		require.Error(t, err, "its module is in the loop")
		var crash *loader.CrashError
		assert.True(t, errors.Is(err, loader.ErrInstanceLost) || errors.As(err, &crash), err)
	})
}

// TestIsolated_OwnProcess: each module has a process of its own, which is told.
func TestIsolated_OwnProcess(t *testing.T) {
	inWorkers(t, func(t *testing.T) {
		h := open(t, "instances = 3")
		for range 4 {
			hosttest.Call(t, newBox(t, h), "count")
		}
		status := h.Plugins()[0]
		assert.Equal(t, loader.IsolationProcess, status.Isolation)
		assert.Equal(t, loader.PluginReady, status.State)
		assert.NotZero(t, status.PID)
		assert.GreaterOrEqual(t, status.Calls, uint64(8), "of all modules")
	})
}

// TestIsolated_Command: nyash-worker runs libraries of machine code and modules.
func TestIsolated_Command(t *testing.T) {
	command := ccbuild.Built(t, "nyash-worker")
	for name, channel := range map[string]isolate.Channel{"memory": loader.ChannelAuto, "pipe": loader.ChannelPipe} {
		t.Run(name, func(t *testing.T) {
			for box, text := range map[string]string{
				"FileBox": fmt.Sprintf("[plugins.FileBox]\nlibrary = %q\ntype_id = 6\n", ccbuild.Plugin(t, "filebox")),
				"Module":  toml(moduleFile(t), ""),
			} {
				h := hosttest.Open(t, text, loader.WithWorker(command), loader.WithWorkerChannel(channel), loader.WithIsolation(loader.IsolationProcess))
				_, err := h.New(t.Context(), box)
				require.NoError(t, err)
			}
		})
	}
}
