//go:build linux

package isolation

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/pipe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

const liarMethods = `
[plugins.Liar.methods]
say    = { method_id = 1, args = [] }
text   = { method_id = 2, args = [], returns = "string" }
result = { method_id = 8, args = [], returns_result = true }
flood  = { method_id = 3, args = [ { name = "n", from = "integer", to = "i64" } ], returns = "i64" }
print  = { method_id = 4, args = [ { name = "n", from = "integer", to = "i64" } ], returns = "i64" }
rename = { method_id = 5, args = [] }
ring   = { method_id = 6, args = [] }
next   = { method_id = 7, args = [ { name = "n", from = "integer", to = "i64" } ], returns = "i64" }
`

func liar(library, keys string) string {
	return fmt.Sprintf("[plugins.Liar]\nlibrary = %q\n%s\n", library, keys) + liarMethods
}

func isolated(dir string) string {
	return fmt.Sprintf("isolation = \"process\"\nworking_directory = %q\ncall_timeout = \"10s\"\n%s", dir, never)
}

func newLiar(t testing.TB, h *loader.Host) *loader.Box {
	t.Helper()
	box, err := h.New(ctx, "Liar")
	require.NoError(t, err)
	return box
}

// honest sees to it that the next worker's calls are right.
func honest(t testing.TB, h *loader.Host) {
	t.Helper()
	box := newLiar(t, h)
	r, err := box.Call(ctx, "next", 41)
	assert.EqualValues(t, 42, hosttest.Int(t, r, err))
	require.NoError(t, box.Close())
}

// said is a message as a worker sends it.
func said(text string) []byte { return announced(text, uint64(len(text))) }

// announced is a message that says another length.
func announced(text string, length uint64) []byte {
	if hosttest.Piped() {
		return append((&pipe.Frame{Op: wire.OpAnswer, Length: length}).Append(nil), text...)
	}
	return inMemory(text, length)
}

// inMemory is a message on the socket that goes with shared memory.
func inMemory(text string, length uint64) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(min(length, 1<<32-1))), text...)
}

func described(methods string) string {
	return fmt.Sprintf(`{"Version":%d,"Description":{"TypeID":721,"TypeName":"Liar","Methods":[%s]}}`, wire.Version, methods)
}

// config is what a library's worker says before its init. text is within a JSON string.
func config(text string) string {
	return fmt.Sprintf(`{"Version":%d,"Config":"%s"}`, wire.Version, text)
}

func times(text string, n int) string { return strings.TrimSuffix(strings.Repeat(text+",", n), ",") }

func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"ID":%d,"Name":"%x"},`, i+1, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// TestLoad_Lies: a plugin's code can answer the host's load itself, with anything.
func TestLoad_Lies(t *testing.T) {
	library := ccbuild.Library(t, "testdata/liar.c")
	const escapes = `\u001b]0;owned\u0007\nnyash: fake`
	tests := map[string]struct {
		lie   []byte
		name  string // of the file; "lie" otherwise
		text  string
		pipes string // the text where there are pipes, if it is another
		is    error
	}{
		"millions of empty methods":    {lie: said(described(times("{}", 2_700_000))), text: "method_count is 65537, more than the 65536 that are read", is: isolate.ErrWorker},
		"many named methods":           {lie: said(described(distinct(250_000))), text: "method_count is 65537, more than the 65536 that are read", is: isolate.ErrWorker},
		"empty methods":                {lie: said(described("{},{}")), text: "invalid self-description: method 1 of 2 (method_id 0): name: it is empty", is: native.ErrDescription},
		"names too long in all":        {lie: said(described(times(`{"Name":"`+strings.Repeat("x", 1000)+`"}`, 5000))), text: "the names up to here have", is: native.ErrDescription},
		"a name too long":              {lie: said(described(`{"Name":"` + strings.Repeat("x", 7<<20) + `"}`)), text: "it has 7340032 bytes, more than the 1024 that are read", is: native.ErrDescription},
		"a name with escapes":          {lie: said(described(`{"ID":1,"Name":"a"},{"ID":2,"Name":"` + escapes + `"}`)), text: `method 2 of 2 (method_id 2): name: "\x1b]0;owned\a\nnyash: fake" has the control character U+001B at byte 0`, is: native.ErrDescription},
		"a type name with escapes":     {lie: said(strings.Replace(described(""), "Liar", escapes, 1)), text: `type_name: "\x1b]0;owned\a\nnyash: fake" has the control character U+001B`, is: native.ErrDescription},
		"an error with escapes":        {lie: said(fmt.Sprintf(`{"Version":%d,"Error":{"Text":"%s","Exists":true}}`, wire.Version, escapes)), text: `\x1b]0;owned\x07\nnyash: fake`},
		"an endless error":             {lie: said(fmt.Sprintf(`{"Version":%d,"Error":{"Text":"%s","Exists":true}}`, wire.Version, strings.Repeat("x", 7<<20))), text: "x … (7335936 bytes more)"},
		"a reason with escapes":        {lie: said(fmt.Sprintf(`{"Version":%d,"Error":{"Reason":"init failed","Detail":"%s"}}`, wire.Version, escapes)), text: `init failed: \x1b]0;owned\x07\nnyash: fake`, is: native.ErrInit},
		"wrong types":                  {lie: said(`{"Version":{},"Base":"here"}`), text: "worker cannot be started: its message cannot be understood: json: cannot unmarshal object", is: isolate.ErrWorker},
		"an absurd base":               {lie: said(`{"Version":2,"Base":1e400}`), text: "cannot unmarshal number 1e400", is: isolate.ErrWorker},
		"no JSON":                      {lie: said("\x1b[31m\n"), text: `its message cannot be understood: invalid character '\x1b'`, is: isolate.ErrWorker},
		"nothing":                      {lie: said(""), text: "unexpected end of JSON input", is: isolate.ErrWorker},
		"another version":              {lie: said(`{"Version":-1}`), text: "it speaks version -1", is: isolate.ErrWorker},
		"absurdly long":                {lie: announced("{", 1<<62), text: "a message of 4294967295 bytes, and the largest is 8388608", pipes: "it wrote nonsense to its host's pipe"},
		"a text with escapes":          {lie: said(config(`[plugins.\"a` + escapes + `\"]`)), text: "not valid TOML: basic strings cannot have control characters", is: native.ErrDescription},
		"a text's name with escapes":   {lie: said(config(`[plugins.\"a\\u001b[31m\"]`)), text: `has the control character U+001B`, is: native.ErrDescription},
		"a text of millions of errors": {lie: said(config("[plugins.A]" + strings.Repeat(`\nlibrary=1`, 100_000))), text: "there are more mistakes: the reading ended here", is: native.ErrDescription},
		"a text too long":              {lie: said(config(strings.Repeat("x", 2<<20))), text: "nyash_plugin_config returned more than the 1048576 bytes that are read", is: native.ErrDescription},
		"two texts":                    {lie: append(said(config("[plugins.Liar]")), said(config("[plugins.Liar]"))...), text: "its worker sent a description twice", pipes: "it wrote nonsense to its host's pipe"},
		"cut short":                    {lie: announced(`{"Version":`, 8<<20), name: "lie-and-exit", text: "its process exited with status 0", is: loader.ErrPluginCrashed},
	}
	for name, tt := range tests {
		for _, early := range []bool{false, true} {
			moment := map[bool]string{false: "init", true: "constructor"}[early]
			t.Run(name+", "+moment, func(t *testing.T) {
				dir := t.TempDir()
				if tt.name == "" {
					tt.name = "lie"
				}
				file := filepath.Join(dir, tt.name)
				require.NoError(t, os.WriteFile(file, tt.lie, 0o600))
				if early {
					require.NoError(t, os.WriteFile(filepath.Join(dir, "early"), nil, 0o600))
				}
				h := hosttest.Open(t, liar(library, isolated(dir)))
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := h.New(ctx, "Liar")
				runtime.ReadMemStats(&after)
				text := tt.text
				if hosttest.Piped() && tt.pipes != "" {
					text = tt.pipes
				}
				require.ErrorContains(t, err, text)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				full := fmt.Sprintf("%+v", err)
				if bytes.Contains(tt.lie, []byte(`"Config"`)) {
					full = strings.ReplaceAll(full, "\n", "") // a line for each mistake
				}
				assert.False(t, strings.ContainsFunc(full, unicode.IsControl), "%q", full)
				assert.Less(t, len(full), 16<<10)
				assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20))

				require.NoError(t, os.Remove(file))
				honest(t, h)
			})
		}
	}
}

// TestLoad_AbsurdBase: only the worker itself believes the addresses that it gives.
func TestLoad_AbsurdBase(t *testing.T) {
	dir := t.TempDir()
	lie := filepath.Join(dir, "lie-and-go-on")
	text := fmt.Sprintf(`{"Version":%d,"Base":18446744073709551615,"Description":{"TypeID":721,"TypeName":"Liar"}}`, wire.Version)
	require.NoError(t, os.WriteFile(lie, inMemory(text, uint64(len(text))), 0o600))
	p, err := isolate.Open(ctx, isolate.Config{Channel: isolate.ChannelMemory, File: ccbuild.Library(t, "testdata/liar.c"), Dir: dir, Sink: silence{}, Restart: isolate.Restart{Max: 1}, InUse: func() bool { return true }})
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Session(ctx)
	require.NoError(t, err)
	for _, addr := range []uint64{0x1000, 1 << 40, 1<<64 - 1} {
		_, _, err = s.Adopt(ctx, addr, 100)
		require.Error(t, err)
	}
	addr, err := s.Lend(ctx, make([]byte, 100))
	require.NoError(t, err)
	s.TakeBack(addr, 100)
	c := new(abi.Call)
	c.TypeID, c.Method = 721, abi.MethodBirth
	c.SetResultBuffer(make([]byte, 64))
	require.NoError(t, s.Invoke(ctx, c))
	assert.Equal(t, abi.OK, c.Code)
}

const (
	rawText   = "\x1b]0;owned\a\x1b[31m\r\nnyash: success\t\u202e\u009b"
	shownText = `\x1b]0;owned\x07\x1b[31m\r\nnyash: success\t\u202e\u009b`
)

func TestText_Escaped(t *testing.T) {
	library := ccbuild.Library(t, "testdata/liar.c")
	for name, keys := range map[string]string{"isolated": isolated(t.TempDir()), "in process": ""} {
		t.Run(name, func(t *testing.T) {
			log := hosttest.NewLog()
			h := hosttest.Open(t, liar(library, keys), log.Option())
			box := newLiar(t, h)
			_, err := box.Call(ctx, "say")
			var call *loader.CallError
			require.ErrorAs(t, err, &call)
			assert.Equal(t, shownText, call.Message)
			assert.Equal(t, "Liar.say: plugin error (-5): "+shownText, err.Error())
			assert.Equal(t, "Liar.say: plugin error (-5): "+shownText+"\n\t"+shownText, fmt.Sprintf("%+v", err))
			assert.Equal(t, []string{shownText}, log.Messages())

			_, err = box.Call(ctx, "result")
			var message *loader.ResultMessage
			require.ErrorAs(t, err, &message)
			assert.Equal(t, shownText, message.Text)

			r, err := box.Call(ctx, "text")
			require.NoError(t, err)
			text, err := r.Text()
			require.NoError(t, err)
			assert.Equal(t, rawText, text, "a result is data")

			if name == "isolated" {
				log.Reset()
				_, err = box.Call(ctx, "print", 1)
				require.NoError(t, err)
				hosttest.Eventually(func() bool { return len(log.Messages()) == 1 })
				assert.Equal(t, []string{`flood 0\x1b[2J`}, log.Messages())
			}
		})
	}
}

// TestText_MethodNames: names that a terminal would obey are refused, in a worker or not.
func TestText_MethodNames(t *testing.T) {
	for name, tt := range map[string]struct{ name, text string }{
		"a line":    {`\"read\\nnyash: fake\"`, `method 2 of 2 (method_id 2): name: "read\nnyash: fake" has the control character U+000A at byte 4`},
		"an escape": {`\"\\033[31mread\"`, `method 2 of 2 (method_id 2): name: "\x1b[31mread" has the control character U+001B at byte 0`},
	} {
		library := ccbuild.Library(t, "testdata/liar.c", "-DMETHOD_NAME="+strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(tt.name))
		for _, keys := range []string{isolated(t.TempDir()), ""} {
			h := hosttest.Open(t, liar(library, keys))
			_, err := h.New(ctx, "Liar")
			require.ErrorIs(t, err, native.ErrDescription, name)
			assert.ErrorContains(t, err, tt.text)
		}
	}
}

var leftOut = regexp.MustCompile(`^(\d+) lines? left out \((.*)\)$`)

// counted are the lines of a flood that were logged, and those that were left out.
func counted(t testing.TB, log *hosttest.Log) (logged, out int, bounds string) {
	for _, text := range log.Messages() {
		if m := leftOut.FindStringSubmatch(text); m != nil {
			n, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			out, bounds = out+n, m[2]
		} else if strings.HasPrefix(text, "flood ") {
			logged++
		}
	}
	return logged, out, bounds
}

func TestLogRate_Flood(t *testing.T) {
	library := ccbuild.Library(t, "testdata/liar.c")
	const lines = 15_000
	tests := map[string]struct {
		opts        []loader.Option
		least, most int
		bounds      string
	}{
		"by default": {nil, 10_000, lines - 1, "more than 1000 lines or 1 MiB a second; loader.WithLogRate"},
		"lines":      {[]loader.Option{loader.WithLogRate(10, 0)}, 100, 5000, "more than 10 lines a second; loader.WithLogRate"},
		"bytes":      {[]loader.Option{loader.WithLogRate(0, 100)}, 50, 5000, "more than 100 bytes a second; loader.WithLogRate"},
		"no limit":   {[]loader.Option{loader.WithLogRate(0, 0)}, lines, lines, ""},
	}
	for name, tt := range tests {
		for _, method := range []string{"flood", "print"}[:hosttest.Rounds(2)] {
			t.Run(name+", "+method, func(t *testing.T) {
				log := hosttest.NewLog()
				h := hosttest.Open(t, liar(library, isolated(t.TempDir())), append(tt.opts, log.Option())...)
				box := newLiar(t, h)
				r, err := box.Call(ctx, method, lines)
				assert.EqualValues(t, lines, hosttest.Int(t, r, err))
				hosttest.Eventually(func() bool { logged, out, _ := counted(t, log); return logged+out >= lines })
				logged, out, bounds := counted(t, log)
				assert.Equal(t, lines, logged+out, "each is logged or counted")
				assert.GreaterOrEqual(t, logged, tt.least)
				assert.LessOrEqual(t, logged, tt.most)
				assert.Equal(t, tt.bounds, bounds)
			})
		}
	}
}

// TestLogRate_AtEnd: the number of lines left out is logged when the worker has ended.
func TestLogRate_AtEnd(t *testing.T) {
	log := hosttest.NewLog()
	h := hosttest.OpenUnclosed(t, liar(ccbuild.Library(t, "testdata/liar.c"), isolated(t.TempDir())), log.Option(), loader.WithLogRate(1, 0))
	box := newLiar(t, h)
	_, err := box.Call(ctx, "flood", 100)
	require.NoError(t, err)
	require.NoError(t, box.Close())
	require.NoError(t, h.Close())
	logged, out, _ := counted(t, log)
	assert.Equal(t, 100, logged+out)
	assert.NotZero(t, out)
}

// TestHostile_Doorbell: a doorbell that rings for nothing does not keep the host from its work.
func TestHostile_Doorbell(t *testing.T) {
	h := hosttest.Open(t, liar(ccbuild.Library(t, "testdata/liar.c"), isolated(t.TempDir())), loader.WithWorkerChannel(loader.ChannelMemory))
	box := newLiar(t, h)
	_, err := box.Call(ctx, "ring")
	require.NoError(t, err)
	for i := range 1000 {
		r, err := box.Call(ctx, "next", i)
		require.EqualValues(t, i+1, hosttest.Int(t, r, err))
	}
}

func TestWithLogRate_Invalid(t *testing.T) {
	for _, o := range []loader.Option{loader.WithLogRate(-1, 0), loader.WithLogRate(0, -1)} {
		_, err := loader.OpenConfig(&registry.Config{}, o)
		require.ErrorContains(t, err, "write 0 for no limit")
	}
}

// TestWithWorker_RelativePath: the path is the host's, and not one in the plugin's folder.
func TestWithWorker_RelativePath(t *testing.T) {
	library := faulty(t)
	self, err := os.Executable()
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, os.Symlink(self, "nyash-worker"))
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nyash-worker"), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o700))

	h := hosttest.Open(t, toml(library, never+fmt.Sprintf("\nworking_directory = %q", dir)), loader.WithWorker("./nyash-worker"))
	unhurt(t, h)
	// Where the host is later does not matter.
	t.Chdir(dir)
	box := newBox(t, h)
	_, err = box.Call(ctx, "abort")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	unhurt(t, h)
	assert.NoFileExists(t, ran)

	_, err = loader.OpenConfig(&registry.Config{}, loader.WithWorker("no-such-worker"))
	require.ErrorContains(t, err, `WithWorker: exec: "no-such-worker": executable file not found in $PATH`)
}

// TestWrapper_RelativePath: a debugger's path is the host's, too.
func TestWrapper_RelativePath(t *testing.T) {
	library := faulty(t)
	t.Chdir(t.TempDir())
	const pass = "#!/bin/sh\nexec \"$@\"\n"
	require.NoError(t, os.WriteFile("wrap", []byte(pass), 0o700))
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wrap"), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o700))
	p, err := isolate.Open(ctx, isolate.Config{File: library, Dir: dir, Wrapper: []string{"./wrap"}, Sink: silence{}, Channel: channelOfTests(), InUse: func() bool { return true }})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	assert.NoFileExists(t, ran)
}

// TestPlugins_ProcessName: a process's name, which the system shows among its times, is not taken for one.
func TestPlugins_ProcessName(t *testing.T) {
	h := hosttest.Open(t, liar(ccbuild.Library(t, "testdata/liar.c"), isolated(t.TempDir())))
	box := newLiar(t, h)
	before := h.Plugins()[0]
	_, err := box.Call(ctx, "rename")
	require.NoError(t, err)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", before.PID))
	require.NoError(t, err)
	require.Contains(t, string(stat), "(x) R 1 2 3)")
	after := h.Plugins()[0]
	assert.GreaterOrEqual(t, after.CPU, before.CPU)
	assert.Less(t, (after.CPU - before.CPU).Seconds(), 2.0)
	assert.False(t, strings.HasPrefix(stateOf(before.PID), "R 1 2 3)"))
}
