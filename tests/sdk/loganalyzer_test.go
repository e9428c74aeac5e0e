package sdk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

const isolated = `isolation = "process"`

// logsTOML has LogAnalyzerBox and the two boxes that it uses, each with lines of its own.
func logsTOML(t testing.TB, analyzer, file, counter string) string {
	return fmt.Sprintf(`[plugins.LogAnalyzerBox]
library = %q
uses = ["FileBox", "CounterBox"]
%s
[plugins.FileBox]
library = %q
%s
[plugins.CounterBox]
library = %q
%s
`, logAnalyzer(t), analyzer, fileBox(t), file, counterBox(t), counter)
}

// logFile writes a log of several pieces, and of lines that begin in one and end in
// another.
func logFile(t testing.TB) (path string, lines int64) {
	t.Helper()
	const levels = "12:00:00 DEBUG a\nlevel=info b\n[Warning] c error\nERROR d\n\terror: e\n\n"
	long := strings.Repeat("x ", 100_000)
	text := strings.Repeat(levels, 10_000) + long + "error\n" + long + "none\nfatal: the end"
	path = filepath.Join(t.TempDir(), "app.log")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path, 60_003
}

func TestLogAnalyzerBox(t *testing.T) {
	for _, c := range []struct {
		name            string
		analyzer, other string
		channel         loader.Channel
	}{
		{"one process", "", "", loader.ChannelAuto},
		{"others isolated", "", isolated, loader.ChannelAuto},
		{"analyzer isolated", isolated, "", loader.ChannelAuto},
		{"all isolated", isolated, isolated, loader.ChannelAuto},
		{"all isolated, pipes", isolated, isolated, loader.ChannelPipe},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := hosttest.Open(t, logsTOML(t, c.analyzer, c.other, c.other), loader.WithWorkerChannel(c.channel), loader.WithMemoryTracking())
			testLogAnalyzer(t, h)
			for _, memory := range h.Memory() {
				assert.Zero(t, memory.Blocks, "%+v", memory)
			}
		})
	}
}

func testLogAnalyzer(t *testing.T, h *loader.Host) {
	path, lines := logFile(t)
	box := hosttest.New(t, h, "LogAnalyzerBox", "web")
	assert.Equal(t, lines, value(t, box, "analyze", path))
	const report = "debug 10000\ninfo 10000\nwarn 10000\nerror 20002\nother 10001"
	assert.Equal(t, report, value(t, box, "report"))
	assert.Equal(t, int64(20_002), value(t, box, "count", "error"))

	// The counters are those that everybody has, by the analyzer's name.
	counter := hosttest.New(t, h, "CounterBox")
	assert.Equal(t, "web.debug\nweb.error\nweb.info\nweb.other\nweb.warn", value(t, counter, "names"))
	assert.Equal(t, int64(20_003), value(t, counter, "inc", "web.error"))
	same, other := hosttest.New(t, h, "LogAnalyzerBox", "web"), hosttest.New(t, h, "LogAnalyzerBox", "mail")
	assert.Equal(t, int64(20_003), value(t, same, "count", "error"))
	assert.Equal(t, int64(0), value(t, other, "count", "error"))

	testLogAnalyzerErrors(t, h, box)
	assert.Equal(t, int64(20_003), value(t, box, "count", "error"), "an error counts nothing")

	assert.Equal(t, lines+1, value(t, same, "reset"))
	assert.Equal(t, "", value(t, counter, "names"))
	assert.Equal(t, int64(0), value(t, box, "reset"))

	const analyses = 8
	var all sync.WaitGroup
	for range analyses {
		all.Go(func() {
			n, err := loader.Call[int64](ctx, box, "analyze", path)
			assert.NoError(t, err)
			assert.Equal(t, lines, n)
		})
	}
	all.Wait()
	assert.Equal(t, analyses*int64(20_002), value(t, box, "count", "error"))
	assert.Equal(t, int64(0), value(t, other, "reset"))

	empty := filepath.Join(t.TempDir(), "empty.log")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	assert.Equal(t, int64(0), value(t, other, "analyze", empty))
	assert.Equal(t, "debug 0\ninfo 0\nwarn 0\nerror 0\nother 0", value(t, other, "report"))
}

func testLogAnalyzerErrors(t *testing.T, h *loader.Host, box *loader.Box) {
	missing, folder := filepath.Join(t.TempDir(), "none.log"), t.TempDir()
	for _, c := range []struct {
		code         abi.Code
		message      string
		method, text string
	}{
		{abi.ErrPlugin, "FileBox.open: no such file or directory: " + missing, "analyze", missing},
		{abi.ErrPlugin, "FileBox.open: is a directory: " + folder, "analyze", folder},
		{abi.ErrInvalidArgs, "FileBox.open: argument 1 (path): a path cannot hold a NUL byte", "analyze", "a\x00b"},
		{abi.ErrInvalidArgs, `no level "fatal"; there are debug, info, warn, error, other`, "count", "fatal"},
	} {
		assert.Equal(t, c.message, fails(t, c.code, box, c.method, c.text))
	}
	for _, name := range []string{"a\nb", strings.Repeat("x", 250)} {
		_, err := h.New(ctx, "LogAnalyzerBox", name)
		require.ErrorIs(t, err, abi.ErrInvalidArgs)
		assert.ErrorContains(t, err, "CounterBox.get: a counter's name has 1 to 255 bytes")
	}
}

// TestLogAnalyzerBox_HoldsEnd: a worker that ends when it is idle does so after every
// analysis, and with the analyzer that held an instance in it.
func TestLogAnalyzerBox_HoldsEnd(t *testing.T) {
	const idle = isolated + "\nidle_timeout = \"10ms\""
	path, _ := logFile(t)
	for name, analyzer := range map[string]string{"none": "", "process": isolated} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Open(t, logsTOML(t, analyzer, idle, idle+"\nsingleton = false"))
			ends := func(plugin int) { hosttest.Eventually(func() bool { return h.Plugins()[plugin].PID == 0 }) }
			box := hosttest.New(t, h, "LogAnalyzerBox", "web")
			value(t, box, "analyze", path)
			ends(1)
			assert.Contains(t, fails(t, abi.ErrPlugin, box, "analyze", path+".old"), "FileBox.open: no such file")
			ends(1)
			assert.Equal(t, int64(20_002), value(t, box, "count", "error"), "the CounterBox is still held")
			require.NoError(t, box.Close())
			ends(2)
		})
	}
}

// TestLogAnalyzerBox_CounterDies: with the counter's process the counts are lost. The
// analyzer says so; the next one counts again.
func TestLogAnalyzerBox_CounterDies(t *testing.T) {
	path, lines := logFile(t)
	h := hosttest.Open(t, logsTOML(t, "", "", isolated+"\nrestart = { max = 3, within = \"1m\", backoff = \"0s\" }"))
	box := hosttest.New(t, h, "LogAnalyzerBox", "web")
	assert.Equal(t, lines, value(t, box, "analyze", path))

	worker, err := os.FindProcess(h.Plugins()[2].PID)
	require.NoError(t, err)
	require.NoError(t, worker.Kill())
	hosttest.Eventually(func() bool { return h.Plugins()[2].State == loader.PluginFailed })
	assert.Contains(t, fails(t, abi.ErrInvalidHandle, box, "count", "error"), "CounterBox.get: CounterBox 1: "+loader.ErrInstanceLost.Error())
	assert.Contains(t, fails(t, abi.ErrInvalidHandle, box, "analyze", path), "CounterBox.add: ")

	again := hosttest.New(t, h, "LogAnalyzerBox", "web")
	assert.Equal(t, lines, value(t, again, "analyze", path))
	assert.Equal(t, int64(20_002), value(t, again, "count", "error"))
}

// TestLogAnalyzerBox_NotPermitted: each call that nyash.toml does not permit is an error
// that says so.
func TestLogAnalyzerBox_NotPermitted(t *testing.T) {
	path, _ := logFile(t)
	for uses, want := range map[string]string{
		`[]`:                 "CounterBox.birth: not permitted",
		`["FileBox"]`:        "CounterBox.birth: not permitted",
		`["CounterBox"]`:     "FileBox.birth: not permitted",
		`["CounterBox.get"]`: "FileBox.birth: not permitted",
		`["FileBox.birth", "FileBox.open", "FileBox.size", "CounterBox"]`: "FileBox.readAt: not permitted",
		`["FileBox", "CounterBox.get"]`:                                   "CounterBox.add: not permitted",
	} {
		t.Run(uses, func(t *testing.T) {
			h := hosttest.Open(t, strings.Replace(logsTOML(t, "", "", ""), `["FileBox", "CounterBox"]`, uses, 1))
			box, err := h.New(ctx, "LogAnalyzerBox", "web")
			if err == nil {
				_, err = box.Call(ctx, "analyze", path)
			}
			require.ErrorIs(t, err, abi.ErrNotPermitted)
			assert.ErrorContains(t, err, want)
		})
	}
}
