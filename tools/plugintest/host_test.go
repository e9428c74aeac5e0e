package plugintest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// asking is a library of which each method calls the host's box and method that its
// arguments name, and answers what it is answered.
func asking(t *testing.T, flags ...string) string {
	return ccbuild.Library(t, "testdata/asks.c", append([]string{"-fvisibility=hidden"}, flags...)...)
}

// declaring has a library in a nyash.toml, beside the box StoreBox.
func declaring(t *testing.T, library, uses string) plugintest.Config {
	t.Helper()
	config, err := registry.Parse("nyash.toml", []byte(fmt.Sprintf(`
[plugins.AskBox]
library = %q
uses = [%s]

[plugins.StoreBox]
library = "store"
singleton = true
[plugins.StoreBox.methods]
open  = { method_id = 7, args = [ { name = "n", from = "integer", to = "i64" } ], returns = "EntryBox" }
old   = false
[plugins.EntryBox]
library = "store"
[plugins.EntryBox.methods]
text  = { method_id = 1, args = [], returns = "string" }
bytes = { method_id = 2, args = [], returns = "bytes" }
bool  = { method_id = 3, args = [], returns = "bool" }
i32   = { method_id = 4, args = [], returns = "i32" }
i64   = { method_id = 5, args = [], returns = "i64" }
f32   = { method_id = 6, args = [], returns = "f32" }
f64   = { method_id = 7, args = [], returns = "f64" }
void  = { method_id = 8, args = [], returns = "void" }
self  = { method_id = 9, args = [], returns = "handle" }
any   = { method_id = 10 }
`, library, uses)))
	require.NoError(t, err)
	return plugintest.Config{File: library, Library: config.Libraries[0], Boxes: config.Boxes, TOML: "nyash.toml", Seed: 1}
}

// TestHost_Answers: what the tester's host answers to calls of a box.
func TestHost_Answers(t *testing.T) {
	library := asking(t)
	for name, tt := range map[string]struct {
		uses        string
		box, method string
		times       int // how often the method is called within one call
		want        string
	}{
		"string":                  {`"EntryBox"`, "EntryBox", "text", 1, `"a"`},
		"string, again":           {`"EntryBox"`, "EntryBox", "text", 2, `""`},
		"string, and again":       {`"EntryBox"`, "EntryBox", "text", 3, `"a"`},
		"bytes":                   {`"EntryBox"`, "EntryBox", "bytes", 1, `bytes "a"`},
		"bool":                    {`"EntryBox"`, "EntryBox", "bool", 1, "bool true"},
		"bool, again":             {`"EntryBox"`, "EntryBox", "bool", 2, "bool false"},
		"i32":                     {`"EntryBox"`, "EntryBox", "i32", 1, "i32 1"},
		"i32, again":              {`"EntryBox"`, "EntryBox", "i32", 5, "i32 16"},
		"i32, in the end":         {`"EntryBox"`, "EntryBox", "i32", 22, "i32 0"},
		"i64, before the end":     {`"EntryBox"`, "EntryBox", "i64", 41, "i64 1099511627776"},
		"i64, in the end":         {`"EntryBox"`, "EntryBox", "i64", 42, "i64 0"},
		"i64, anew":               {`"EntryBox"`, "EntryBox", "i64", 43, "i64 1"},
		"f32":                     {`"EntryBox"`, "EntryBox", "f32", 2, "f32 3"},
		"f64":                     {`"EntryBox"`, "EntryBox", "f64", 1, "f64 1.5"},
		"void":                    {`"EntryBox"`, "EntryBox", "void", 1, "void"},
		"of no declared type":     {`"EntryBox"`, "EntryBox", "any", 1, "void"},
		"not declared":            {`"EntryBox"`, "EntryBox", "what", 1, "void"},
		"of a box nobody knows":   {`"OtherBox"`, "OtherBox", "what", 1, "void"},
		"one method":              {`"EntryBox.birth", "EntryBox.i64"`, "EntryBox", "i64", 1, "i64 1"},
		"built in":                {`"TimeBox"`, "TimeBox", "now", 1, "i64 1"},
		"built in, of any type":   {`"ConsoleBox"`, "ConsoleBox", "readLine", 1, "void"},
		"built in, no method":     {`"TimeBox"`, "TimeBox", "then", 1, "-3 (invalid method)"},
		"hidden":                  {`"StoreBox"`, "StoreBox", "old", 1, "-3 (invalid method)"},
		"wrong arguments":         {`"StoreBox"`, "StoreBox", "open", 1, "-4 (invalid arguments)"},
		"a singleton's own birth": {`"StoreBox.what"`, "StoreBox", "what", 1, "void"},
		"its own box":             {`"AskBox"`, "AskBox", "seven", 1, "i64 7"},
	} {
		t.Run(name, func(t *testing.T) {
			c := declaring(t, library, tt.uses)
			args := []tlv.Value{tlv.String(tt.box), tlv.String(tt.method), tlv.Int64(int64(tt.times))}
			msg, err := tlv.Encode(args...)
			require.NoError(t, err)
			tester := open(t, c)
			report, out, err := tester.Debug(context.Background(), "AskBox", "ask", msg)
			require.NoError(t, err)
			require.NotNil(t, out, "%+v", report.Findings)
			got := fmt.Sprintf("%d (%v)", int32(out.Code), strings.Split(out.Code.Error(), " (")[0])
			if out.Code == 0 {
				got = "void"
				if len(out.Result) > 0 {
					v, err := tlv.DecodeOne(out.Result)
					require.NoError(t, err)
					got = v.Tag().String() + " " + v.String()
					if text, err := v.Text(); err == nil && v.Tag() == tlv.TagString {
						got = fmt.Sprintf("%q", text)
					} else if data, err := v.Bytes(); err == nil && v.Tag() == tlv.TagBytes {
						got = fmt.Sprintf("bytes %q", data)
					}
				}
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// TestHost_Permissions: what uses does not list is refused, and the finding has the line that
// nyash.toml lacks.
func TestHost_Permissions(t *testing.T) {
	library := ccbuild.Library(t, "../../tests/faulty/testdata/uses_missing.c", "-fvisibility=hidden")
	report := run(t, plugintest.Config{File: library}, "host")
	assert.Equal(t, []string{`uses-missing Counter.poke: it calls what uses does not list: ` +
		`write uses = ["ConsoleBox"] into [plugins.Counter] of nyash.toml, and into the self-description, beside what is there`}, found(report))
	require.Len(t, report.HostCalls, 1)
	assert.Equal(t, "ConsoleBox", report.HostCalls[0].Box)
	assert.Positive(t, report.HostCalls[0].Refused)
	assert.Equal(t, fmt.Sprintf("calls of its host: ConsoleBox %[1]d (%[1]d not permitted)", report.HostCalls[0].Refused), report.HostSummary())
}

// TestHost_NamesOfTheTester: what is refused to a library that calls what it is told to is the
// tester's own.
func TestHost_NamesOfTheTester(t *testing.T) {
	c := declaring(t, asking(t), `"TimeBox"`)
	msg := []tlv.Value{tlv.String("FooBox"), tlv.String("now"), tlv.Int64(1)}
	c.Calls = []plugintest.Invocation{{Method: "ask", Args: msg}}
	c.Worker = ccbuild.TestersWorker(t)
	tester := open(t, c)
	for _, check := range []string{"typecheck", "host", "protocol"} {
		report, err := tester.Run(context.Background(), check)
		require.NoError(t, err)
		assert.Empty(t, found(report), check)
		assert.NotContains(t, report.HostSummary(), "FooBox")
	}
}

// TestHost_Lines: the check host says what may be called, and what only the tester permits.
func TestHost_Lines(t *testing.T) {
	library := ccbuild.Library(t, "../../tests/faulty/testdata/good/host.c", "-fvisibility=hidden")
	config, err := registry.Parse("nyash.toml", []byte(fmt.Sprintf("[plugins.UserBox]\nlibrary = %q\nuses = [\"TimeBox\", \"ConsoleBox.print\"]\n", library)))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		config plugintest.Config
		want   []string
	}{
		"declared": {
			plugintest.Config{Library: config.Libraries[0], Boxes: config.Boxes},
			[]string{"uses: TimeBox, ConsoleBox.print", "asks for UserBox, which the tester permits and a host does only when nyash.toml has it"},
		},
		"described": {
			plugintest.Config{},
			[]string{"uses: nothing in nyash.toml", "asks for TimeBox, UserBox, which the tester permits and a host does only when nyash.toml has it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config.File = library
			report := run(t, tt.config, "host")
			assert.Empty(t, found(report))
			assert.Equal(t, tt.want, report.Checks[0].Lines)
		})
	}
}

func TestHost_NotConnected(t *testing.T) {
	_, err := open(t, plugintest.Config{File: good(t)}).Run(context.Background(), "host")
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	assert.ErrorContains(t, err, "does not export nyash_plugin_connect")
}

// TestHost_Turns: a library whose calls come one at a time is not called while it calls.
func TestHost_Turns(t *testing.T) {
	library := asking(t)
	for threads, want := range map[string]string{"free": "i64 7", "serial": "plugin error (-5)", "pinned": "plugin error (-5)"} {
		t.Run(threads, func(t *testing.T) {
			config, err := registry.Parse("nyash.toml", []byte(fmt.Sprintf("[plugins.AskBox]\nlibrary = %q\nuses = [\"AskBox\"]\nthreads = %q\n", library, threads)))
			require.NoError(t, err)
			msg, err := tlv.Encode(tlv.String("AskBox"), tlv.String("seven"), tlv.Int64(1))
			require.NoError(t, err)
			_, out, err := open(t, plugintest.Config{File: library, Library: config.Libraries[0], Boxes: config.Boxes, Worker: ccbuild.TestersWorker(t)}).Debug(context.Background(), "AskBox", "ask", msg)
			require.NoError(t, err)
			require.NotNil(t, out)
			got := out.Code.Error()
			if out.Code == 0 {
				v, err := tlv.DecodeOne(out.Result)
				require.NoError(t, err)
				got = v.Tag().String() + " " + v.String()
			}
			assert.Equal(t, want, got)
		})
	}
}
