package loader_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func TestOpen_LoadsNothing(t *testing.T) {
	h := open(t, probeTOML(filepath.Join(t.TempDir(), "libnone.so"), ""))
	_, err := h.New(t.Context(), "Probe")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = h.New(t.Context(), "TimeBox")
	require.NoError(t, err, "other boxes are not concerned")
}

func TestOpen_NoFile(t *testing.T) {
	_, err := loader.Open(filepath.Join(t.TempDir(), "nyash.toml"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "a host needs a nyash.toml")
}

func TestHost_New_RetriesFailedLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libprobe.so")
	h := open(t, probeTOML(path, ""))
	_, err := h.New(t.Context(), "Probe")
	require.ErrorIs(t, err, fs.ErrNotExist)
	built, err := os.ReadFile(probeLibrary(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, built, 0o755))
	assert.EqualValues(t, 5, callInt(t, newBox(t, h, "Probe"), "add", 2, 3))
}

func TestHost_New_UnknownBox(t *testing.T) {
	h := openProbe(t)
	_, err := h.New(t.Context(), "Prob")
	require.ErrorIs(t, err, loader.ErrNoBox)
	assert.EqualError(t, err, "no such box: Prob in nyash.toml (did you mean Probe?)")
}

func TestHost_New_LoadsOnce(t *testing.T) {
	h := openProbe(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			box, err := h.New(t.Context(), "Probe")
			if assert.NoError(t, err) {
				assert.NoError(t, box.Close())
			}
		})
	}
	wg.Wait()
	box := newBox(t, h, "Probe")
	assert.EqualValues(t, 1, callInt(t, box, "inits"))
	assert.EqualValues(t, 51, callInt(t, box, "births"))
	assert.EqualValues(t, 50, callInt(t, box, "finis"))
}

func TestHost_Load_ReportsEveryFailure(t *testing.T) {
	dir := t.TempDir()
	h := open(t, fmt.Sprintf(`
[plugins]
A = %q
B = %q
Probe = %q
`, filepath.Join(dir, "liba.so"), filepath.Join(dir, "libb.so"), probeLibrary(t)))
	err := h.Load(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "box A: ")
	assert.ErrorContains(t, err, "box B: ")
	assert.NotContains(t, err.Error(), "box Probe")
	require.NoError(t, h.Load(t.Context(), "Probe", "TimeBox"))
	require.ErrorIs(t, h.Load(t.Context(), "Prone"), loader.ErrNoBox)
}

func TestHost_Close_Order(t *testing.T) {
	var log output
	first := probeLibrary(t)
	second := probeLibrary(t, "-DTYPE_ID=701", `-DTYPE_NAME="Second"`)
	h := open(t, probeTOML(first, "")+fmt.Sprintf("\n[plugins.Second]\nlibrary = %q\ntype_id = 701\nmethods = { say = { method_id = 18 } }", second), withLog(&log))
	// Nobody drops these, which would be another order.
	kept := []*loader.Box{newBox(t, h, "Probe"), newBox(t, h, "Second")}
	defer runtime.KeepAlive(kept)
	closed := newBox(t, h, "Probe")
	box := newBox(t, h, "Probe")
	require.NoError(t, closed.Close())
	require.NoError(t, h.Close())
	require.NoError(t, h.Close())
	assert.Equal(t, []string{
		"Probe fini 2",
		"Probe fini 3", "Second fini 1", "Probe fini 1",
		"Second shutdown 0", "Probe shutdown 0",
	}, withoutThread(log.messages()))

	_, err := box.Call(t.Context(), "say")
	require.ErrorIs(t, err, loader.ErrClosed)
	_, err = h.New(t.Context(), "Probe")
	require.ErrorIs(t, err, loader.ErrClosed)
	require.ErrorIs(t, h.Load(t.Context()), loader.ErrClosed)
	_, err = h.Type(t.Context(), "Probe")
	require.ErrorIs(t, err, loader.ErrClosed)
	require.NoError(t, box.Close())
}

// withoutThread hides which thread shutdown ran on, which is for a test of its
// own to look at.
func withoutThread(messages []string) []string {
	for i, m := range messages {
		if m == "Probe shutdown on the thread of init 0" {
			messages[i] = "Probe shutdown 0"
		}
		if m == "Second shutdown on the thread of init 0" {
			messages[i] = "Second shutdown 0"
		}
	}
	return messages
}

func TestHost_Close_WaitsForCalls(t *testing.T) {
	h := open(t, probeTOML(probeLibrary(t), shortGrace()))
	box, other := newBox(t, h, "Probe"), newBox(t, h, "Probe")
	holding, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := box.Call(holding, "hold")
		done <- err
	}()
	eventually(func() bool { return callInt(t, other, "holding") == 1 })

	closed := make(chan error)
	go func() { closed <- h.Close() }()
	eventually(func() bool { _, err := h.New(t.Context(), "Probe"); return errors.Is(err, loader.ErrClosed) })
	select {
	case <-closed:
		t.Fatal("the host closed while a call was under way")
	default:
	}
	if isolated { // nobody else can reach the plugin
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, <-closed)
		return
	}
	// The plugin is asked by a second host: this one answers no more.
	config, err := registry.Parse("nyash.toml", []byte(probeTOML(libraryOf(t, h), "")))
	require.NoError(t, err)
	h2, err := loader.OpenConfig(config)
	require.NoError(t, err)
	call(t, newBox(t, h2, "Probe"), "release")
	require.NoError(t, <-done)
	require.NoError(t, <-closed)
	require.NoError(t, h2.Close())
}

// TestHost_Shutdown_CallUnderWay: what runs in this process cannot be made to end, and is named.
func TestHost_Shutdown_CallUnderWay(t *testing.T) {
	if isolated { // tests/isolation has that
		return
	}
	library := probeLibrary(t)
	second := strings.ReplaceAll(probeTOML(probeLibrary(t, "-DTYPE_ID=701", `-DTYPE_NAME="Second"`), ""), "plugins.Probe", "plugins.Second")
	config, err := registry.Parse("nyash.toml", []byte(probeTOML(library, "")+second))
	require.NoError(t, err)
	var log output
	h, err := loader.OpenConfig(config, withLog(&log))
	require.NoError(t, err)
	box, other, second2 := newBox(t, h, "Probe"), newBox(t, h, "Probe"), newBox(t, h, "Second")
	done := make(chan error)
	go func() {
		_, err := box.Call(t.Context(), "hold")
		done <- err
	}()
	eventually(func() bool { return callInt(t, other, "holding") == 1 })
	short, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no more time"))
	defer cancel()
	require.EqualError(t, box.Shutdown(short), "close Probe(1): no more time")
	start := time.Now()
	err = h.Shutdown(short)
	require.EqualError(t, err, "host of nyash.toml: no more time: these libraries in the host's process have calls under way, and stay loaded without shutdown: Probe")
	assert.Less(t, time.Since(start), 10*time.Second)
	assert.Contains(t, log.String(), "Second shutdown", "the others are shut down")
	assert.NotContains(t, log.String(), "Probe shutdown")
	_, err = second2.Call(t.Context(), "calls")
	require.ErrorIs(t, err, loader.ErrClosed)
	require.NoError(t, h.Close(), "again")

	// The call still ends well, and fini follows it.
	probe := newBox(t, open(t, probeTOML(library, "")), "Probe")
	finis := callInt(t, probe, "finis")
	call(t, probe, "release")
	require.NoError(t, <-done)
	eventually(func() bool { return callInt(t, probe, "finis") == finis+1 })
}

// TestHost_Shutdown_BirthUnderWay: an instance that is being made is not live yet, and
// keeps its library all the same.
func TestHost_Shutdown_BirthUnderWay(t *testing.T) {
	if isolated { // tests/isolation has that
		return
	}
	for _, keys := range []string{"", "unload = true", `threads = "free"`} {
		t.Run(keys, func(t *testing.T) {
			library := probeLibrary(t, "-DHOLD_SECOND_BIRTH")
			probe := newBox(t, open(t, probeTOML(library, keys)), "Probe")
			config, err := registry.Parse("nyash.toml", []byte(probeTOML(library, keys)))
			require.NoError(t, err)
			h, err := loader.OpenConfig(config, defaults()...)
			require.NoError(t, err)
			born := make(chan error)
			go func() {
				box, err := h.New(t.Context(), "Probe")
				assert.Nil(t, box)
				born <- err
			}()
			eventually(func() bool { return callInt(t, probe, "holding") == 1 })
			short, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no more time"))
			defer cancel()
			require.ErrorContains(t, h.Shutdown(short), "no more time: these libraries in the host's process have calls under way, and stay loaded without shutdown: Probe")
			call(t, probe, "release")
			require.ErrorIs(t, <-born, loader.ErrClosed)
			eventually(func() bool { return callInt(t, probe, "finis") == 1 })
		})
	}
}

// TestHost_Shutdown_InTime is Close.
func TestHost_Shutdown_InTime(t *testing.T) {
	config, err := registry.Parse("nyash.toml", []byte(probeTOML(probeLibrary(t), "")))
	require.NoError(t, err)
	h, err := loader.OpenConfig(config, defaults()...)
	require.NoError(t, err)
	newBox(t, h, "Probe")
	long, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, h.Shutdown(long))
	_, err = h.New(t.Context(), "Probe")
	require.ErrorIs(t, err, loader.ErrClosed)
}

func libraryOf(t *testing.T, h *loader.Host) string {
	box, ok := h.Config().Box("Probe")
	require.True(t, ok)
	file, err := h.Config().Find(box.Library)
	require.NoError(t, err)
	return file
}

func TestTwoHosts_ShareLibrary(t *testing.T) {
	library := probeLibrary(t)
	a, b := open(t, probeTOML(library, "")), open(t, probeTOML(library, ""))
	boxA, boxB := newBox(t, a, "Probe"), newBox(t, b, "Probe")
	assert.EqualValues(t, 1, callInt(t, boxA, "inits"))
	require.NoError(t, a.Close())
	assert.EqualValues(t, 1, callInt(t, boxB, "inits"), "the other host's close did not end the plugin")
	finis := 1
	if isolated { // each host has a plugin of its own
		finis = 0
	}
	assert.EqualValues(t, finis, callInt(t, boxB, "finis"))

	_, err := boxB.Call(t.Context(), "take", boxA)
	require.ErrorIs(t, err, loader.ErrForeignBox)
}

func TestTwoHosts_DifferentThreads(t *testing.T) {
	library := probeLibrary(t)
	newBox(t, open(t, probeTOML(library, "")), "Probe")
	_, err := open(t, probeTOML(library, `threads = "serial"`)).New(t.Context(), "Probe")
	if isolated { // they need not
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, native.ErrBusy)
	assert.ErrorContains(t, err, `threads = "free", and "serial" was asked for`)
}

func TestHost_Load_AfterClose(t *testing.T) {
	tests := map[string]struct {
		keys string
		want int64 // inits that the plugin remembers
	}{
		"stays mapped": {"", 2},
		"unloaded":     {"unload = true", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if isolated { // the memory of it went with the process
				tt.want = 1
			}
			toml := probeTOML(probeLibrary(t), tt.keys)
			h := open(t, toml)
			newBox(t, h, "Probe")
			require.NoError(t, h.Close())
			assert.Equal(t, tt.want, callInt(t, newBox(t, open(t, toml), "Probe"), "inits"))
		})
	}
}

func TestHost_Load_ManyTimes(t *testing.T) {
	for _, keys := range []string{"", "unload = true"} {
		toml := probeTOML(probeLibrary(t), keys)
		config, err := registry.Parse("nyash.toml", []byte(toml))
		require.NoError(t, err)
		loads := 5000
		if isolated { // each starts a process
			loads = 100
		}
		for range loads {
			h, err := loader.OpenConfig(config, defaults()...)
			require.NoError(t, err)
			require.NoError(t, h.Load(t.Context(), "Probe"))
			require.NoError(t, h.Close())
		}
	}
}

func TestSingleton(t *testing.T) {
	var log output
	h := open(t, probeTOML(probeLibrary(t), "singleton = true"), withLog(&log))
	var wg sync.WaitGroup
	boxes := make([]*loader.Box, 20)
	for i := range boxes {
		wg.Go(func() {
			box, err := h.New(t.Context(), "Probe")
			assert.NoError(t, err)
			boxes[i] = box
		})
	}
	wg.Wait()
	for _, box := range boxes {
		require.Same(t, boxes[0], box)
	}
	require.NoError(t, boxes[0].Close())
	assert.EqualValues(t, 1, callInt(t, boxes[0], "births"), "closing a singleton does nothing")
	assert.EqualValues(t, 0, callInt(t, boxes[0], "finis"))
	require.NoError(t, h.Close())
	assert.Contains(t, log.messages(), "Probe fini 1")
}

func TestOpen_LibrariesForm(t *testing.T) {
	library := probeLibrary(t, "-DINVOKE_ONLY")
	h := open(t, fmt.Sprintf(`
[libraries."libprobe.so"]
boxes = ["Probe"]
path = %q
[libraries."libprobe.so".Probe]
type_id = 700
abi_version = 1
[libraries."libprobe.so".Probe.methods]%s`, library, methods))
	box := newBox(t, h, "Probe")
	assert.EqualValues(t, 5, callInt(t, box, "add", 2, 3))
	_, err := box.Call(t.Context(), "wrong")
	var mismatch *loader.ResultError
	require.ErrorAs(t, err, &mismatch)
	assert.EqualError(t, err, "Probe.wrong: the result is handle, and is declared as i64")
}

func TestWithBuiltins_ReplacedByPlugin(t *testing.T) {
	echo := &builtin.Box{
		Name: "Probe",
		New:  func([]tlv.Value) (any, error) { return nil, nil },
	}
	with := open(t, probeTOML(probeLibrary(t), ""), loader.WithBuiltins(echo))
	assert.EqualValues(t, 700, newBox(t, with, "Probe").Type().ID)
	assert.Equal(t, []string{"Probe"}, with.Boxes())

	without := open(t, "", loader.WithBuiltins(echo))
	box := newBox(t, without, "Probe")
	assert.NotEqualValues(t, 700, box.Type().ID)
	_, err := box.Call(t.Context(), "add", 1, 2)
	require.ErrorIs(t, err, loader.ErrNoMethod)
}

func TestOpen_InvalidOptions(t *testing.T) {
	config, err := registry.Parse("nyash.toml", nil)
	require.NoError(t, err)
	for name, opt := range map[string]loader.Option{
		"no logger":        loader.WithLogger(nil),
		"no calls":         loader.WithMaxInFlight(0),
		"no holds":         loader.WithMaxHolds(0),
		"too small result": loader.WithMaxResult(100),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loader.OpenConfig(config, opt)
			require.Error(t, err)
		})
	}
}

func TestOpen_LogsWarnings(t *testing.T) {
	var log output
	open(t, "[plugin]\nA = \"b\"\n", withLog(&log))
	assert.Contains(t, log.String(), "did you mean plugins?")
}

// TestOpen_Uses: what `uses` names is a box of the file, a built-in one or one of the
// program's own.
func TestOpen_Uses(t *testing.T) {
	app := &builtin.Box{
		Name:    "AppBox",
		New:     func([]tlv.Value) (any, error) { return nil, nil },
		Methods: []builtin.Method{{Name: "work"}},
	}
	text := probeTOML(probeLibrary(t), `uses = ["AppBox.work", "Probe.add"]`)
	h := open(t, text, loader.WithBuiltins(app))
	require.NoError(t, h.Load(t.Context()))
	assert.Equal(t, "AppBox.work", h.Config().Libraries[0].Uses[0].String())

	for name, tt := range map[string]struct {
		text string
		opts []loader.Option
		want string
	}{
		"no box":    {text, nil, "plugins.Probe.uses: there is no box AppBox; declare it in this file"},
		"no method": {strings.Replace(text, "AppBox.work", "AppBox.wrk", 1), []loader.Option{loader.WithBuiltins(app)}, "plugins.Probe.uses: AppBox has no method wrk (did you mean work?); it has work"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := registry.Parse("nyash.toml", []byte(tt.text))
			require.NoError(t, err)
			_, err = loader.OpenConfig(config, tt.opts...)
			var errs registry.Errors
			require.ErrorAs(t, err, &errs)
			require.ErrorContains(t, err, tt.want)
			assert.Regexp(t, `^nyash.toml:\d+:\d+: `, err.Error())

			var log output
			h := open(t, tt.text, append(tt.opts, loader.WithUnresolvedUses(), withLog(&log))...)
			assert.Contains(t, log.String(), tt.want)
			require.NoError(t, h.Load(t.Context()), "a tool can show the plugin")
		})
	}
}

// TestTypeID_PerLibrary: two libraries may use one, and a box of the one that is passed to
// the other has another id there.
func TestTypeID_PerLibrary(t *testing.T) {
	other := strings.ReplaceAll(probeTOML(probeLibrary(t, `-DTYPE_NAME="Second"`), ""), "plugins.Probe", "plugins.Second")
	h := open(t, probeTOML(probeLibrary(t), "")+other)
	first, second := newBox(t, h, "Probe"), newBox(t, h, "Second")
	assert.Equal(t, first.Type().ID, second.Type().ID)
	for _, box := range []*loader.Box{first, second} {
		same, err := call(t, box, "self").Box()
		require.NoError(t, err)
		assert.Same(t, box, same, "each is of its own library")
	}
	call(t, first, "take", second)
	require.NoError(t, first.Batch().Add("take", second))
}
