package generated

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/docs/examples/typed/boxes"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/loader/worker"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}

// rootTOML is the repository's nyash.toml with libraries built for the test.
func rootTOML(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ccbuild.Root(t), "nyash.toml"))
	require.NoError(t, err)
	toml := string(text)
	for _, plugin := range []string{"filebox", "mathbox"} {
		toml = strings.Replace(toml, fmt.Sprintf("%q", "nyash-"+plugin+"-plugin"), fmt.Sprintf("%q", ccbuild.Plugin(t, plugin)), 1)
	}
	return toml
}

func TestFileBox(t *testing.T) {
	ctx := t.Context()
	host := hosttest.Open(t, rootTOML(t))
	file, err := boxes.NewFileBox(ctx, host)
	require.NoError(t, err)
	defer file.Close()
	assert.Regexp(t, `^FileBox\(\d+\)$`, file.String())

	path := filepath.Join(t.TempDir(), "a.txt")
	there, err := file.Exists(ctx, path)
	require.NoError(t, err)
	assert.False(t, there)
	require.NoError(t, file.Open(ctx, path, "w+"))
	n, err := file.Write(ctx, "hello")
	require.NoError(t, err)
	assert.Equal(t, int32(5), n)
	data, err := file.ReadAt(ctx, 1, 3)
	require.NoError(t, err)
	assert.Equal(t, "ell", string(data))
	length, err := file.WriteAll(ctx, []byte(" again"))
	require.NoError(t, err)
	assert.Equal(t, int64(6), length)
	blob, err := file.ReadAll(ctx)
	require.NoError(t, err)
	assert.Equal(t, "hello again", string(blob.Bytes()))
	blob.Release()

	clone, err := file.CloneSelf(ctx)
	require.NoError(t, err)
	size, err := clone.Size(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(11), size)
	other, err := boxes.NewFileBox(ctx, host)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.Open(ctx, filepath.Join(t.TempDir(), "b.txt"), "w+"))
	copied, err := other.CopyFrom(ctx, clone)
	require.NoError(t, err)
	assert.Equal(t, int64(11), copied)

	require.NoError(t, file.CallClose(ctx), "the method close")
	_, err = file.Size(ctx)
	require.ErrorIs(t, err, abi.ErrPlugin)
	require.NoError(t, clone.Close(), "the end of the box")
	_, err = clone.Size(ctx)
	require.ErrorIs(t, err, loader.ErrClosed)
}

func TestErrors(t *testing.T) {
	host := hosttest.Open(t, rootTOML(t))
	math, err := boxes.NewMathBox(t.Context(), host)
	require.NoError(t, err)
	defer math.Close()

	_, err = math.Div(t.Context(), 1, 0)
	var call *loader.CallError
	require.ErrorAs(t, err, &call)
	assert.Equal(t, "division by zero", call.Message)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = math.Add(done, 1, 2)
	require.ErrorIs(t, err, context.Canceled)

	_, err = boxes.AsFileBox(math.Box())
	assert.Regexp(t, `^MathBox\(\d+\) is no FileBox$`, err.Error())
	_, err = boxes.NewMathBox(t.Context(), host, 1)
	assert.ErrorIs(t, err, abi.ErrInvalidArgs)
}

// TestAnotherLibrary meets a library whose MathBox lacks what was generated.
func TestAnotherLibrary(t *testing.T) {
	toml := strings.Replace(rootTOML(t), "[plugins.MathBox.methods]", "[plugins.MathBox.methods]\nlog = false\nsqrt = false", 1)
	lines := strings.Split(toml, "\n")
	kept := lines[:0]
	for _, line := range lines {
		if !strings.HasPrefix(line, "log  =") && !strings.HasPrefix(line, "sqrt =  {") && !strings.HasPrefix(line, "sqrt = {") {
			kept = append(kept, line)
		}
	}
	host := hosttest.Open(t, strings.Join(kept, "\n"))
	_, err := boxes.NewMathBox(t.Context(), host)
	require.ErrorIs(t, err, loader.ErrNoMethod)
	assert.ErrorContains(t, err, "MathBox.sqrt")
	assert.ErrorContains(t, err, "MathBox.log")
}

// TestAllocs holds typed calls to what resolved methods allocate.
func TestAllocs(t *testing.T) {
	ctx := context.Background()
	math, err := boxes.NewMathBox(ctx, hosttest.Open(t, rootTOML(t)))
	require.NoError(t, err)
	defer math.Close()
	a, f := int64(len(t.Name()))*1000, float64(len(t.Name()))/3 // no constants, which need no allocation anyway
	for name, call := range map[string]func() error{
		"integers": func() error { _, err := math.Add(ctx, a, 2000); return err },
		"floats":   func() error { _, err := math.Fadd(ctx, f, f); return err },
		"a float":  func() error { _, err := math.Sqrt(ctx, f); return err },
	} {
		t.Run(name, func(t *testing.T) {
			got := testing.AllocsPerRun(200, func() {
				if err := call(); err != nil {
					t.Error(err)
				}
			})
			assert.Equal(t, float64(portableAllocs), got)
		})
	}
}

// BenchmarkAdd measures the typed call beside the resolved method that it uses.
func BenchmarkAdd(b *testing.B) {
	ctx := context.Background()
	math, err := boxes.NewMathBox(ctx, hosttest.Open(b, rootTOML(b)))
	require.NoError(b, err)
	defer math.Close()
	x := int64(b.N) + 1000
	b.Run("typed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n, err := math.Add(ctx, x, 2000); err != nil || n != x+2000 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("resolved", func(b *testing.B) {
		add, err := math.Box().Method("add")
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			r, err := add.Call(ctx, x, 2000)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := r.Int(); err != nil || n != x+2000 {
				b.Fatal(n, err)
			}
		}
	})
}
