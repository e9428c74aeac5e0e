package sdk

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// vector is a case of tests/vectors; its README describes the fields.
type vector struct {
	Name      string
	Hex       string
	Values    []vectorValue
	Canonical *bool
	Error     string
	Offset    int
}

type vectorValue struct {
	Tag, Bits, Repeat, Type, Instance, Address, Length string
	Value                                              any
	Count, Times                                       int
}

// TestVectors has the cases of tests/vectors decoded and encoded by the SDK's reader and writer. Each case is a line for
// testdata/vectors.c: `decode HEX` is answered with `ok` and the values, or the kind of error and its offset; `encode
// VALUES` with hex digits or the kind of error.
func TestVectors(t *testing.T) {
	for source, std := range map[string]string{"vectors.c": "-std=c99", "vectors.cpp": "-std=c++17"} {
		t.Run(source, func(t *testing.T) {
			program := ccbuild.Program(t, "testdata/"+source, std, pedantic)
			var input strings.Builder
			var want, about []string
			add := func(v vector, line, answer string) {
				fmt.Fprintln(&input, line)
				want, about = append(want, answer), append(about, v.Name)
			}
			for _, v := range vectors(t, "valid.json") {
				add(v, "decode "+v.digits(t), strings.TrimSpace("ok "+v.line(t)))
				if v.Canonical == nil || *v.Canonical {
					add(v, "encode "+v.line(t), v.digits(t))
				}
			}
			for _, v := range vectors(t, "invalid.json") {
				add(v, "decode "+v.digits(t), fmt.Sprint(v.Error, " ", v.Offset))
			}
			for _, v := range vectors(t, "unencodable.json") {
				add(v, "encode "+v.line(t), v.Error)
			}
			command := []string{program}
			if whole || source == "vectors.c" {
				command = []string{"valgrind", "-q", "--error-exitcode=9", program}
			}
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Stdin = strings.NewReader(input.String())
			out, err := cmd.Output()
			require.NoError(t, err)
			got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			require.Len(t, got, len(want))
			for i := range want {
				assert.True(t, want[i] == got[i], "%s: %.200s\nwant: %.200s", about[i], got[i], want[i])
			}
		})
	}
}

func vectors(t testing.TB, file string) []vector {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(ccbuild.Root(t), "tests", "vectors", file))
	require.NoError(t, err)
	var all []vector
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all)
	return all
}

// digits are those of the message, with repetitions written out.
func (v vector) digits(t testing.TB) string {
	var all strings.Builder
	for word := range strings.FieldsSeq(v.Hex) {
		digits, times, repeated := strings.Cut(word, "*")
		n := 1
		if repeated {
			var err error
			n, err = strconv.Atoi(times)
			require.NoError(t, err)
		}
		all.WriteString(strings.Repeat(digits, n))
	}
	return strings.ToLower(all.String())
}

// line has the values as testdata/vectors.c writes them.
func (v vector) line(t testing.TB) string {
	var all []string
	for _, one := range v.Values {
		for range max(1, one.Times) {
			all = append(all, one.text(t))
		}
	}
	return strings.Join(all, " ")
}

func (v vectorValue) text(t testing.TB) string {
	digits := func(isHex bool) string {
		text, _ := v.Value.(string)
		if v.Repeat != "" {
			text, isHex = v.Repeat, true
		}
		if !isHex {
			text = hex.EncodeToString([]byte(text))
		}
		return v.Tag + " x" + strings.ToLower(strings.Repeat(text, max(1, v.Count)))
	}
	switch v.Tag {
	case "bool":
		if v.Value == true {
			return "bool 1"
		}
		return "bool 0"
	case "i32", "i64":
		return fmt.Sprint(v.Tag, " ", v.Value)
	case "f32", "f64":
		return v.Tag + " " + strings.ToLower(v.Bits)
	case "string":
		return digits(false)
	case "bytes":
		return digits(true)
	case "handle":
		return "handle " + v.Type + " " + v.Instance
	case "void":
		return "void"
	case "blob":
		return "blob " + v.Address + " " + v.Length
	}
	require.Fail(t, "unknown tag "+v.Tag)
	return ""
}
