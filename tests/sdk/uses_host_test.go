package sdk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// usesTOML lets one of users call the plugins of testdata/used.c. userKeys and usedKeys
// are lines for the two libraries.
func usesTOML(t testing.TB, user, userKeys, usedKeys string) string {
	return fmt.Sprintf(`[plugins.UserBox]
library = %q
uses = ["CounterBox", "ClockBox.now"]
%s
[plugins.CounterBox]
library = %[3]q
uses = ["UserBox.get"]
%[4]s
[plugins.ClockBox]
library = %[3]q
`, user, userKeys, library(t, "used.c"), usedKeys)
}

// TestUses_Host has a plugin in each language call another one through this module's
// host, each in its process or in one of its own.
func TestUses_Host(t *testing.T) {
	for language := range users {
		for _, ways := range [][2]string{{"none", "none"}, {"none", "process"}, {"process", "none"}, {"process", "process"}} {
			t.Run(fmt.Sprint(language, ", ", ways), func(t *testing.T) {
				key := func(way string) string { return fmt.Sprintf("isolation = %q", way) }
				h := hosttest.Open(t, usesTOML(t, users[language](t), key(ways[0]), key(ways[1])), loader.WithMemoryTracking())
				testUses(t, h)
			})
		}
	}
}

func testUses(t *testing.T, h *loader.Host) {
	user, clock := hosttest.New(t, h, "UserBox", 5), hosttest.New(t, h, "ClockBox")
	// The last hold of a box finalises it, perhaps only a moment later.
	alive := func(n int64, why string) {
		t.Helper()
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, clock, "alive") <= n })
		assert.Equal(t, n, hosttest.CallInt(t, clock, "alive"), why)
	}
	alive(1, "the counter that the user holds")

	for _, c := range []struct {
		method string
		args   []any
		want   any
	}{
		{"add", []any{2}, int64(7)},
		{"get", nil, int64(7)},
		{"types", nil, "1 -2147483648 -3 0.5 -2.25 1.5 2 0"},
		{"text", []any{1017}, int64(1017)},
		{"text", []any{65535}, int64(65535)},
		{"bytes", []any{65535}, int64(65535)},
		{"blob", []any{100_000}, int64(100_000)},
		{"blob", []any{0}, int64(0)},
		{"sum", []any{100_000}, int64(200_000)},
		{"sum", []any{0}, int64(0)},
		{"echo", []any{65535}, int64(65535)},
		{"same", nil, int64(7)},
		{"clock", nil, int64(2468)},
		{"nothing", nil, nil},
		{"threads", nil, nil},
	} {
		assert.Equal(t, c.want, value(t, user, c.method, c.args...), "%s(%v)", c.method, c.args)
	}
	alive(1, "each other hold was given up")

	other := hosttest.New(t, h, "CounterBox", 40)
	assert.Equal(t, int64(41), value(t, user, "lent", other))
	assert.Same(t, other, boxOf(t, user, "back", other))
	assert.Contains(t, fails(t, abi.ErrInvalidArgs, user, "lent", clock), "CounterBox.add: the handle is that of another box")
	for method, want := range map[string]int64{"clone": 7, "fresh": 3} {
		var args []any
		if method == "fresh" {
			args = append(args, 3)
		}
		made := boxOf(t, user, method, args...)
		assert.Equal(t, "CounterBox", made.Name())
		assert.Equal(t, want, value(t, made, "get"), method)
		alive(3, method)
		require.NoError(t, made.Close())
	}
	require.NoError(t, other.Close())
	testUsesErrors(t, user)

	require.NoError(t, user.Close())
	alive(0, "the user has ended")
	for _, memory := range h.Memory() {
		assert.Zero(t, memory.Blocks, "%+v", memory)
	}
}

func testUsesErrors(t *testing.T, user *loader.Box) {
	for _, c := range []struct {
		code abi.Code
		want string
		args []any
	}{
		{abi.ErrInvalidArgs, "CounterBox.fail: bad", []any{"fail", -4, "bad"}},
		{abi.ErrPlugin, "CounterBox.fail: like a method", []any{"fail", -3, "like a method"}},
		{77, "CounterBox.fail: its own", []any{"fail", 77, "its own"}},
		{abi.ErrInvalidArgs, "CounterBox.birth: ", []any{"badly"}},
		{abi.ErrInvalidArgs, "CounterBox.echo: argument 1: it has 65536 bytes", []any{"echo", 65536}},
		{abi.ErrNotPermitted, "SecretBox.birth: not permitted", []any{"wrong", "refused"}},
		{abi.ErrPlugin, "CounterBox.none: it has no such method", []any{"wrong", "missingMethod"}},
		{abi.ErrPlugin, "CounterBox.get: the result is i64, wanted string", []any{"wrong", "type"}},
		{abi.ErrPlugin, "CounterBox.clone: the result is handle, wanted i64 or i32", []any{"wrong", "typeOfHold"}},
		{abi.ErrPlugin, "CounterBox.blob: the result is blob, wanted i64 or i32", []any{"wrong", "typeOfBlob"}},
		{abi.ErrPlugin, "CounterBox.none: it has no such method", []any{"wrong", "secondThoughts"}},
	} {
		assert.Contains(t, fails(t, c.code, user, c.args[0].(string), c.args[1:]...), c.want)
	}
}

// TestUses_CalledBack: a call that comes back to the instance in which it began is an
// error and no deadlock: of the SDK on the same thread, of the host where the library
// takes one call at a time.
func TestUses_CalledBack(t *testing.T) {
	for _, language := range []string{"c", "cpp"} {
		for _, c := range []struct{ keys, want string }{
			{"", "is in the call that led to this one"},
			{`threads = "serial"`, loader.ErrCircle.Error()},
			{"threads = \"serial\"\nisolation = \"process\"", loader.ErrCircle.Error()},
		} {
			if c.keys == "" && hosttest.Isolated() {
				continue // it comes back on another thread, where it waits
			}
			t.Run(fmt.Sprint(language, ", ", c.keys), func(t *testing.T) {
				user := hosttest.New(t, hosttest.Open(t, usesTOML(t, users[language](t), c.keys, "")), "UserBox", 5)
				message := fails(t, abi.ErrPlugin, user, "reenter", 2)
				assert.Contains(t, message, "CounterBox.back: UserBox.get: ")
				assert.Contains(t, message, c.want)
				assert.Equal(t, int64(5), value(t, user, "get"))
			})
		}
	}
}

// TestUses_Reload has holds that a plugin keeps in static memory when its host closes: the
// next host is not called with them.
func TestUses_Reload(t *testing.T) {
	for language := range users {
		t.Run(language, func(t *testing.T) {
			data, err := os.ReadFile(users[language](t))
			require.NoError(t, err)
			copied := filepath.Join(t.TempDir(), fileName("user")) // which nobody has loaded yet
			require.NoError(t, os.WriteFile(copied, data, 0o700))
			toml := usesTOML(t, copied, "", "")
			h := hosttest.OpenUnclosed(t, toml)
			t.Cleanup(func() { h.Close() })
			user := hosttest.New(t, h, "UserBox")
			assert.Equal(t, int64(1), value(t, user, "keep"))
			assert.Equal(t, int64(2), value(t, user, "keep"))
			require.NoError(t, h.Close())

			user = hosttest.New(t, hosttest.Open(t, toml), "UserBox")
			assert.Contains(t, fails(t, abi.ErrInvalidHandle, user, "keep"), "the handle is of the time before the plugin was shut down")
			assert.Equal(t, int64(1), value(t, user, "keep"))
		})
	}
}

// TestUses_NotInTOML: what a library asks for counts for nothing until nyash.toml has it.
func TestUses_NotInTOML(t *testing.T) {
	for language, library := range users {
		h := hosttest.Open(t, fmt.Sprintf("[plugins.UserBox]\nlibrary = %q\n", library(t)))
		_, err := h.New(ctx, "UserBox")
		require.ErrorIs(t, err, abi.ErrNotPermitted, language)
		var failed *loader.CallError
		require.True(t, errors.As(err, &failed))
		assert.Equal(t, "CounterBox.birth: not permitted: nyash.toml has to list it in uses", failed.Message, language)
	}
}
