package plugintest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// builds is a folder for libraries that several tests use.
var builds = filepath.Join(os.TempDir(), fmt.Sprintf("nyash-plugintest-%d", os.Getpid()))

func TestMain(m *testing.M) {
	probe.Main()
	status := m.Run()
	os.RemoveAll(builds)
	os.Exit(status)
}

// good is a plugin without a fault.
func good(t *testing.T) string {
	return ccbuild.Library(t, "../../tests/faulty/testdata/good.c", "-fvisibility=hidden")
}

func open(t *testing.T, config plugintest.Config) *plugintest.Tester {
	t.Helper()
	tt, err := plugintest.New(config)
	require.NoError(t, err)
	return tt
}

func TestAnnotate(t *testing.T) {
	tests := map[string]struct {
		hex  string
		want string
	}{
		"a string": {"0100 0100 06000200 6869", `
    0  0100                               version 1
    2  0100                               argc 1
    4  06000200                           tag 6 = string, size 2
    8  6869                               "hi"`},
		"cut short": {"0100 0100 06000300 6869", `
    0  0100                               version 1
    2  0100                               argc 1
    4  06000300                           tag 6 = string, reserved 0, size 3
    8  6869                               not read
       decode TLV: byte 8: string has size 3, and only 2 bytes are left`},
		"unknown tag": {"0100 0100 63000000", `
    0  0100                               version 1
    2  0100                               argc 1
    4  63000000                           tag 99 = tag 99, reserved 0, size 0
       decode TLV: byte 4: tag 99 is unknown`},
		"trailing": {"0100 0000 00000000", `
    0  0100                               version 1
    2  0000                               argc 0
    4  00000000                           not read
       decode TLV: byte 4: 4 bytes follow the last of 0 entries`},
		"too short": {"01", `
    0  01                                 not read
       decode TLV: byte 1: the header needs 4 bytes, the message has 1`},
		"long bytes": {"0100 0100 07001400 " + strings.Repeat("ab", 20), `
    0  0100                               version 1
    2  0100                               argc 1
    4  07001400                           tag 7 = bytes, size 20
    8  abababababababababababababababab…  bytes "\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			msg, err := plugintest.ParseHex(tt.hex)
			require.NoError(t, err)
			assert.Equal(t, tt.want, "\n"+strings.Join(plugintest.Annotate(msg), "\n"))
		})
	}
}

func FuzzAnnotate(f *testing.F) {
	f.Add([]byte{1, 0, 1, 0, 6, 0, 1, 0, 'a'})
	f.Fuzz(func(t *testing.T, msg []byte) {
		lines := plugintest.Annotate(msg)
		_, err := tlv.Decode(msg)
		if err != nil {
			require.Contains(t, lines[len(lines)-1], err.Error())
		}
	})
}

func TestParseArg_TypesAndErrors(t *testing.T) {
	for text, want := range map[string]tlv.Value{
		"5":          tlv.Int64(5),
		"-0x10":      tlv.Int64(-16),
		"1.5":        tlv.Float64(1.5),
		"true":       tlv.Bool(true),
		"void":       tlv.Void(),
		"text":       tlv.String("text"),
		"a:b":        tlv.String("a:b"),
		"http://a.b": tlv.String("http://a.b"),
		"mem:a":      tlv.String("mem:a"),
		"string:5":   tlv.String("5"),
		"i32:-7":     tlv.Int32(-7),
		"i64:7":      tlv.Int64(7),
		"f32:0.5":    tlv.Float32(0.5),
		"f64:1":      tlv.Float64(1),
		"bool:false": tlv.Bool(false),
		"bytes:00ff": tlv.Bytes([]byte{0, 255}),
		"handle:6/1": tlv.HandleValue(tlv.Handle{Type: 6, Instance: 1}),
	} {
		got, err := plugintest.ParseArg(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"i32:3000000000": "it does not fit i32",
		"i64:x":          "i64 is a whole number, 5 or 0x1f",
		"i64:":           "i64 is a whole number, 5 or 0x1f",
		"bytes:0":        "not hexadecimal: a byte has two digits, and there are 1",
		"bytes:zz":       "not hexadecimal: 'z' is no digit of it",
		"handle:6":       "a handle is a type id and an instance, 6/1",
		"bool:maybe":     "a bool is true or false",
		"f64:":           "f64 is a number, 2.5 or 1e-3",
		"i46:5":          "there is no type i46 (did you mean i64?); there are string, bool, i32, i64, f32, f64, bytes, handle; write string:i46:5 where it is a text",
		"I64:5":          "there is no type I64 (did you mean i64?); there are string, bool, i32, i64, f32, f64, bytes, handle; write string:I64:5 where it is a text",
		"int:5":          "there is no type int; there are string, bool, i32, i64, f32, f64, bytes, handle; write string:int:5 where it is a text",
	} {
		_, err := plugintest.ParseArg(text)
		require.ErrorIs(t, err, plugintest.ErrCannotRun, text)
		assert.EqualError(t, err, fmt.Sprintf("cannot test: invalid argument %q: %s", text, want))
	}
	call, err := plugintest.ParseCall("FileBox.open=data.txt, w")
	require.NoError(t, err)
	assert.Equal(t, []any{"FileBox", "open"}, []any{call.Box, call.Method})
	assert.Equal(t, []tlv.Value{tlv.String("data.txt"), tlv.String("w")}, call.Args)
	assert.Equal(t, map[int]string{0: "data.txt", 1: "w"}, call.Texts)
	call, err = plugintest.ParseCall("close")
	require.NoError(t, err)
	assert.Equal(t, []any{"", "close"}, []any{call.Box, call.Method})
	assert.Empty(t, call.Args)
	call, err = plugintest.ParseCall(`put="a,b", string:"say \"x, y\"",5,it's "so"`)
	require.NoError(t, err)
	assert.Equal(t, []tlv.Value{tlv.String("a,b"), tlv.String(`say "x, y"`), tlv.Int64(5), tlv.String(`it's "so"`)}, call.Args)
	assert.Equal(t, map[int]string{0: "a,b", 2: "5", 3: `it's "so"`}, call.Texts)
	_, err = plugintest.ParseCall(`put="a\q"`)
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	assert.ErrorContains(t, err, `invalid argument "a\q": it is no text in double quotes`)
}

func TestNew_Errors(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		config plugintest.Config
		text   string
	}{
		"no file":  {plugintest.Config{File: filepath.Join(dir, "x.so")}, "no such file"},
		"a folder": {plugintest.Config{File: dir}, "is a folder; name the library in it"},
		"no code":  {plugintest.Config{File: good(t), Skip: []string{"crahs"}}, `no findings with the code "crahs" (did you mean crash?)`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plugintest.New(tt.config)
			require.ErrorIs(t, err, plugintest.ErrCannotRun)
			assert.ErrorContains(t, err, tt.text)
		})
	}
	library := good(t)
	_, err := open(t, plugintest.Config{File: library}).Run(context.Background(), "typecheck")
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	_, err = open(t, plugintest.Config{File: library, Worker: "/nonexistent"}).Run(context.Background(), "check")
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = open(t, plugintest.Config{File: library}).All(canceled)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRun_CheckLines(t *testing.T) {
	report, err := open(t, plugintest.Config{File: good(t)}).Run(context.Background(), "check")
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	lines := strings.Join(report.Checks[0].Lines, "\n")
	for _, part := range []string{"needs libc", "Counter, type 710", "  echo = 3"} {
		assert.Contains(t, lines, part)
	}
}

// TestConfig_Seed: the seed determines everything random.
func TestConfig_Seed(t *testing.T) {
	library := good(t)
	calls := func(seed uint64) int {
		report, err := open(t, plugintest.Config{File: library, Seed: seed}).Run(context.Background(), "protocol")
		require.NoError(t, err)
		return report.Calls()
	}
	assert.Equal(t, calls(7), calls(7))
}

func TestConfig_OnlyAndSkip(t *testing.T) {
	library := ccbuild.Library(t, "../../tests/faulty/testdata/duplicate_id.c")
	for name, tt := range map[string]struct {
		config plugintest.Config
		want   int
	}{
		"all":   {plugintest.Config{}, 1},
		"only":  {plugintest.Config{Only: []string{"duplicate-id"}}, 1},
		"other": {plugintest.Config{Only: []string{"crash"}}, 0},
		"skip":  {plugintest.Config{Skip: []string{"duplicate-id"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config.File = library
			report, err := open(t, tt.config).Run(context.Background(), "check")
			require.NoError(t, err)
			assert.Len(t, report.Findings, tt.want)
		})
	}
}

func TestDebug_CallAndCrash(t *testing.T) {
	msg, err := tlv.Encode(tlv.Int64(5))
	require.NoError(t, err)
	_, out, err := open(t, plugintest.Config{File: good(t)}).Debug(context.Background(), "Counter", "add", msg)
	require.NoError(t, err)
	result, err := tlv.DecodeOne(out.Result)
	require.NoError(t, err)
	assert.Equal(t, tlv.Int64(5), result)

	report, out, err := open(t, plugintest.Config{File: ccbuild.Library(t, "../../tests/faulty/testdata/abort_poke.c")}).Debug(context.Background(), "", "poke", []byte{1, 0, 0, 0})
	require.NoError(t, err)
	assert.Nil(t, out)
	require.Len(t, report.Findings, 1)
	assert.Equal(t, "SIGABRT (aborted)", report.Findings[0].Message)
}
