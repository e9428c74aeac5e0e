package scaffold

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// withTypes builds the plugin of testdata that has every type of an SDK, in a
// project of `nyash new`, and tests it.
func withTypes(t *testing.T, language, from, to string, flags ...string) (library string) {
	t.Helper()
	a := newAuthor(t)
	a.run(t, "", "nyash", "new", "Types", "--lang", language)
	text, err := os.ReadFile(filepath.Join("testdata", from))
	require.NoError(t, err)
	dir := filepath.Join(a.dir, "types")
	require.NoError(t, os.WriteFile(filepath.Join(dir, to), text, 0o644))
	a.run(t, "types", "make")
	libraries, err := filepath.Glob(filepath.Join(dir, "build", "*types_plugin.*"))
	require.NoError(t, err)
	require.Len(t, libraries, 1)
	tester := exec.Command(filepath.Join(bin, "plugin-tester"), append([]string{"all", "--for", "500ms", libraries[0]}, flags...)...)
	out, err := tester.CombinedOutput()
	assert.NoError(t, err, "%s", out)
	return libraries[0]
}

// TestTypes calls methods with every type of the SDKs for Go and Zig.
func TestTypes(t *testing.T) {
	for _, language := range tested(t) {
		switch language {
		case "go":
			t.Run(language, func(t *testing.T) {
				library := withTypes(t, language, "types.go.txt", "main.go", "--no-memcheck", "--skip", "signal-handler,thread-left,memory-growth")
				tryVectors(t, library)
				out, err := exec.Command(filepath.Join(bin, "plugin-tester"), "lifecycle", library).CombinedOutput()
				assert.Error(t, err, "what is left out is there: docs/plugin-languages.md")
				assert.Contains(t, string(out), "it handles SIGBUS, SIGFPE, SIGSEGV, SIGPIPE, SIGURG")
				assert.Contains(t, string(out), "warning[thread-left]")
				tryTypes(t, library, map[string]string{"panic": "fail panicked: out of order", "long": strings.Repeat("é", 250)})
			})
		case "zig":
			t.Run(language, func(t *testing.T) {
				library := withTypes(t, language, "types.zig", "types.zig")
				tryVectors(t, library)
				tryTypes(t, library, map[string]string{"name": "OutOfOrder", "memory": "out of memory", "long": strings.Repeat("é", 250)})
			})
		}
	}
}

func tryTypes(t *testing.T, library string, failures map[string]string) {
	ctx := context.Background()
	h := hosttest.Open(t, fmt.Sprintf("[plugins.Types]\nlibrary = %q\nisolation = \"process\"\n\n[plugins.Other]\nlibrary = %q\n", library, library))
	box, err := h.New(ctx, "Types", 2)
	require.NoError(t, err)
	call := func(method string, args ...any) any {
		r, err := box.Call(ctx, method, args...)
		require.NoError(t, err, method)
		return r.Any()
	}
	long := strings.Repeat("x", 50)
	for _, c := range []struct {
		method    string
		arg, want any
	}{
		{"flip", true, false},
		{"small", -5, int32(-3)},
		{"large", math.MaxInt64, int64(-math.MaxInt64)},
		{"single", 0.5, float32(0.25)},
		{"double", 3.0, 1.5},
		{"text", "grüße ", "grüße grüße "},
		{"text", long, long + long},
		{"bytes", []byte{0, 1}, []byte{0, 1, 255}},
	} {
		assert.Equal(t, c.want, call(c.method, c.arg), c.method)
	}
	assert.Equal(t, int64(5), call("sum", int64(5)))
	assert.Equal(t, int64(11), call("sum", int64(5), int64(6)))
	assert.Nil(t, call("nothing"))

	data := []byte(strings.Repeat("large ", 20_000))
	r, err := box.Call(ctx, "blob", data)
	require.NoError(t, err)
	blob, err := r.Blob()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(blob.Bytes()), string(data)))
	blob.Release()

	fails := func(code abi.Code, text, method string, args ...any) {
		t.Helper()
		_, err := box.Call(ctx, method, args...)
		assert.ErrorIs(t, err, code)
		assert.ErrorContains(t, err, text)
	}
	fails(abi.ErrInvalidArgs, "a code of its own: -4", "fail", "code")
	fails(abi.ErrInvalidUTF8, "not UTF-8", "broken")
	fails(abi.ErrPlugin, "100", "text", long+"x")
	for how, text := range failures {
		_, err := box.Call(ctx, "fail", how)
		assert.ErrorContains(t, err, text)
	}
	assert.Equal(t, false, call("flip", true), "the plugin lives on")
	_, err = h.New(ctx, "Types", -1)
	assert.ErrorContains(t, err, "not below zero")

	other, err := h.New(ctx, "Other")
	require.NoError(t, err)
	defer other.Close()
	ended := func() int64 {
		r, err := other.Call(ctx, "ended")
		require.NoError(t, err)
		n, err := r.Int()
		require.NoError(t, err)
		return n
	}
	before := ended()
	require.NoError(t, box.Close())
	assert.Equal(t, before+1, ended(), "an instance that ended was told")
}

// tryVectors sends the messages of tests/vectors to a method without arguments:
// what is malformed must be refused as such, and all else for its number only.
func tryVectors(t *testing.T, library string) {
	type vector struct{ Name, Hex, Error string }
	var all []vector
	for _, file := range []string{"valid.json", "invalid.json"} {
		data, err := os.ReadFile(filepath.Join(ccbuild.Root(t), "tests", "vectors", file))
		require.NoError(t, err)
		var some []vector
		require.NoError(t, json.Unmarshal(data, &some))
		all = append(all, some...)
	}
	var input strings.Builder
	for _, v := range all {
		for word := range strings.FieldsSeq(v.Hex) { // repetitions are written digits*times
			digits, times, repeated := strings.Cut(word, "*")
			n := 1
			if repeated {
				var err error
				n, err = strconv.Atoi(times)
				require.NoError(t, err)
			}
			input.WriteString(strings.Repeat(digits, n))
		}
		input.WriteByte('\n')
	}
	cmd := exec.Command(ccbuild.Program(t, "testdata/invoke.c"), library)
	cmd.Stdin = strings.NewReader(input.String())
	out, err := cmd.Output()
	require.NoError(t, err)
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	require.Len(t, answers, len(all))
	for i, v := range all {
		want := "-4 malformed arguments: "
		switch {
		case v.Error == "utf8":
			want = "-7 malformed arguments: "
		case v.Error == "" && v.Hex == "01000000":
			want = "0"
		case v.Error == "":
			want = "-4 nothing takes at most 0 arguments, got "
		}
		assert.True(t, strings.HasPrefix(answers[i], want), "%s: %s", v.Name, answers[i])
	}
}
