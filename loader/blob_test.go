package loader_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// What the plugin of testdata/blob.c does when it is asked to lie.
const (
	lieNowhere = 1 + iota
	lieUnreadable
	lieTooLong
	lieOwnMemory
	lieTwice
	lieFreed
	lieHugeLength
	lieFreeAfterwards
	lieFreeIt
	lieEmpty
)

func openBlobs(t testing.TB, opts ...loader.Option) *loader.Host {
	return open(t, fmt.Sprintf(`[plugins.Blobs]
library = %q
[plugins.Blobs.methods]
sum  = { method_id = 1, args = [ { name = "data", to = "blob" } ], returns = "i64" }
give = { method_id = 2, args = [ { name = "size", from = "integer", to = "i64" } ], returns = "blob" }
lie  = { method_id = 3, args = [ { name = "how", from = "integer", to = "i64" } ], returns = "blob" }
echo = { method_id = 4, args = [ { name = "data", from = "bytes", to = "blob" } ], returns = "blob" }
length = { method_id = 6, args = [ { name = "data", to = "blob" } ], returns = "i64" }
bytes  = { method_id = 7, args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "bytes" }
undeclared = { method_id = 5, args = [ { name = "data", to = "blob" } ] }
`, ccbuild.Library(t, "testdata/blob.c")), opts...)
}

func blobOf(t testing.TB, r loader.Result, err error) *loader.Blob {
	t.Helper()
	require.NoError(t, err)
	blob, err := r.Blob()
	require.NoError(t, err)
	return blob
}

func memoryOf(t testing.TB, h *loader.Host) hostvtable.Memory {
	t.Helper()
	memory := h.Memory()
	require.Len(t, memory, 1)
	for _, m := range memory {
		return m
	}
	return hostvtable.Memory{}
}

func TestBlob(t *testing.T) {
	for _, tracked := range []bool{false, true} {
		t.Run(fmt.Sprintf("tracked %v", tracked), func(t *testing.T) {
			var opts []loader.Option
			if tracked {
				opts = append(opts, loader.WithMemoryTracking())
			}
			box := newBox(t, openBlobs(t, opts...), "Blobs")
			assert.EqualValues(t, 'a'+'b', callInt(t, box, "sum", "ab"))
			assert.EqualValues(t, 3, callInt(t, box, "sum", []byte{1, 2}))
			assert.EqualValues(t, 0, callInt(t, box, "sum", []byte(nil)))
			assert.EqualValues(t, 0, callInt(t, box, "sum", ""))

			for _, size := range []int{0, 1, 65_536, 3 << 20} {
				data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
				r, err := box.Call(t.Context(), "echo", data)
				blob := blobOf(t, r, err)
				assert.True(t, bytes.Equal(data, blob.Bytes()), size)
				assert.Equal(t, size, blob.Len())
				assert.Equal(t, fmt.Sprintf("blob (%d bytes)", size), r.String())
				blob.Release()
				assert.Nil(t, blob.Bytes())
				blob.Release()
			}

			_, err := box.Call(t.Context(), "echo", "text")
			require.EqualError(t, err, "Blobs.echo: argument 1 (data): it must be bytes, and this is a string")
			_, err = box.Call(t.Context(), "sum", 5)
			require.EqualError(t, err, "Blobs.sum: argument 1 (data): an integer cannot become a blob")
			_, err = box.Call(t.Context(), "undeclared", "x")
			var mismatch *loader.ResultError
			require.ErrorAs(t, err, &mismatch)
			assert.EqualError(t, err, "Blobs.undeclared: the result is a blob, and nothing declares that this method returns one")
			_, err = call(t, box, "sum", "x").Blob()
			require.EqualError(t, err, "the result is i64, not a blob")
		})
	}
}

func TestMethod_AppendBytes_Blob(t *testing.T) {
	h := openBlobs(t, loader.WithMemoryTracking())
	echo, err := newBox(t, h, "Blobs").Method("echo")
	require.NoError(t, err)
	data, err := echo.AppendBytes(t.Context(), []byte("before "), []byte("blob"))
	require.NoError(t, err)
	assert.Equal(t, "before blob", string(data))
	assert.Zero(t, memoryOf(t, h).Blocks, "the blob was released")
}

func TestBatch_Blobs(t *testing.T) {
	batch := newBox(t, openBlobs(t), "Blobs").Batch()
	require.NoError(t, batch.Add("echo", []byte("one")))
	require.Error(t, batch.Add("sum", 1))
	require.NoError(t, batch.Add("sum", "\x01\x02"))
	require.NoError(t, batch.Add("lie", lieNowhere))
	results, err := batch.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 3)
	blob := blobOf(t, results[0].Result, results[0].Err)
	assert.Equal(t, "one", string(blob.Bytes()))
	blob.Release()
	n, err := results[1].Int()
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
	require.ErrorIs(t, results[2].Err, loader.ErrProtocol)
}

func TestWithMaxBlob(t *testing.T) {
	h := openBlobs(t, loader.WithMaxBlob(100), loader.WithMemoryTracking())
	box := newBox(t, h, "Blobs")
	r, err := box.Call(t.Context(), "give", 100)
	blobOf(t, r, err).Release()
	_, err = box.Call(t.Context(), "give", 101)
	require.ErrorIs(t, err, loader.ErrResultSize)
	assert.EqualError(t, err, "Blobs.give: result too large: a blob of 101 bytes, the host allows 100 (loader.WithMaxBlob)")
	eventually(func() bool { return memoryOf(t, h).Blocks == 0 })
	_, err = box.Call(t.Context(), "lie", lieHugeLength)
	require.ErrorIs(t, err, loader.ErrResultSize)
	_, err = loader.OpenConfig(h.Config(), loader.WithMaxBlob(-1))
	require.Error(t, err)
}

func TestBlob_InvalidReference(t *testing.T) {
	const prefix = "Blobs.lie: protocol violation: the result is a blob that cannot be taken over: "
	tests := map[string]struct {
		how     int
		any     string // what any host says
		tracked string // what a host that tracks memory says
	}{
		"nowhere":       {lieNowhere, "its address is NULL and its length 5", "its address is NULL and its length 5"},
		"unreadable":    {lieUnreadable, "address 0x10000 cannot be read", "alloc never returned the address 0x10000"},
		"too long":      {lieTooLong, "", "its length is 17, and the block at 0x"},
		"own memory":    {lieOwnMemory, "", "alloc never returned the address 0x"},
		"freed already": {lieFreed, "", "the plugin freed the block at 0x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if isolated { // where memory is always tracked
				tt.any = tt.tracked
			}
			if tt.any != "" {
				_, err := newBox(t, openBlobs(t), "Blobs").Call(t.Context(), "lie", tt.how)
				require.ErrorIs(t, err, loader.ErrProtocol)
				assert.True(t, strings.HasPrefix(err.Error(), prefix+tt.any), err)
			}
			box := newBox(t, openBlobs(t, loader.WithMemoryTracking()), "Blobs")
			_, err := box.Call(t.Context(), "lie", tt.how)
			require.ErrorIs(t, err, loader.ErrProtocol)
			assert.True(t, strings.HasPrefix(err.Error(), prefix+tt.tracked), err)
			assert.EqualValues(t, 3, callInt(t, box, "sum", []byte{3}), "the next call is right")
		})
	}
	if !isolated {
		var fault *cmem.FaultError
		_, err := newBox(t, openBlobs(t), "Blobs").Call(t.Context(), "lie", lieUnreadable)
		require.ErrorAs(t, err, &fault)
	}
}

func TestWithMemoryTracking_BlobMisuse(t *testing.T) {
	log := &output{}
	h := openBlobs(t, loader.WithMemoryTracking(), withLog(log))
	box := newBox(t, h, "Blobs")

	r, err := box.Call(t.Context(), "lie", lieTwice)
	twice := blobOf(t, r, err)
	_, err = box.Call(t.Context(), "lie", lieTwice)
	require.ErrorIs(t, err, loader.ErrProtocol)
	assert.Contains(t, err.Error(), "was handed to the host before")
	assert.Equal(t, "given twice", string(twice.Bytes()))
	twice.Release()

	r, err = box.Call(t.Context(), "lie", lieFreeAfterwards)
	blob := blobOf(t, r, err)
	r, err = box.Call(t.Context(), "lie", lieFreeIt)
	blobOf(t, r, err).Release()
	assert.Contains(t, log.String(), "foreign free: the block belongs to the host, to which it was handed as a blob")
	assert.Equal(t, strings.Repeat("x", 16), string(blob.Bytes()), "the free was not carried out")
	blob.Release()

	r, err = box.Call(t.Context(), "lie", lieEmpty)
	blobOf(t, r, err).Release()
	memory := memoryOf(t, h)
	assert.Zero(t, memory.Blocks)
	assert.Equal(t, 1, memory.ForeignFrees)
}

// TestBlob_Dropped sees to it that memory which nobody releases is given back.
func TestBlob_Dropped(t *testing.T) {
	log := &output{}
	h := openBlobs(t, loader.WithMemoryTracking(), withLog(log))
	box := newBox(t, h, "Blobs")
	call(t, box, "give", 1000)
	eventually(func() bool {
		runtime.GC()
		return memoryOf(t, h).Blocks == 0
	})
	assert.Contains(t, log.messages(), "a blob of Blobs.give was dropped without Release; it is released now")
}

// TestBlob_OutlivesHost: the memory belongs to the process.
func TestBlob_OutlivesHost(t *testing.T) {
	h := openBlobs(t)
	r, err := newBox(t, h, "Blobs").Call(t.Context(), "give", 100)
	blob := blobOf(t, r, err)
	require.NoError(t, h.Close())
	assert.Equal(t, byte(99), blob.Bytes()[99])
	blob.Release()
}

// TestBlob_StackMoves lends memory that would be on the goroutine's stack
// if the loader did not see to it that it is not; the plugin logs, which has the
// stack grow, and then reads.
func TestBlob_StackMoves(t *testing.T) {
	h := openBlobs(t, loader.WithLogger(slog.New(deep{slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})})))
	box := newBox(t, h, "Blobs")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var local [100]byte
			for i := range local {
				local[i] = 1
			}
			r, err := box.Call(t.Context(), "sum", local[:])
			if assert.NoError(t, err) {
				n, err := r.Int()
				assert.NoError(t, err)
				assert.EqualValues(t, 100, n)
			}
		})
	}
	wg.Wait()
}

// TestBlob_Gibibyte passes a file of 1 GiB in one call each way, and sees that Go
// never holds a copy.
func TestBlob_Gibibyte(t *testing.T) {
	h, err := loader.Open("../nyash.toml", loader.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer h.Close()
	const size = 1 << 30
	source, err := os.Create(filepath.Join(t.TempDir(), "source"))
	require.NoError(t, err)
	defer source.Close()
	for _, at := range []int64{0, size - 1} {
		_, err = source.WriteAt([]byte("x"), at)
		require.NoError(t, err)
	}

	from, to := newBox(t, h, "FileBox"), newBox(t, h, "FileBox")
	call(t, from, "open", source.Name(), "r")
	call(t, to, "open", os.DevNull, "w")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := from.Call(t.Context(), "readAll")
	blob := blobOf(t, r, err)
	require.Equal(t, size, blob.Len())
	assert.Equal(t, []byte("x\x00x\x00"), []byte{blob.Bytes()[0], blob.Bytes()[1], blob.Bytes()[size-1], blob.Bytes()[size-2]})
	assert.EqualValues(t, size, callInt(t, to, "writeAll", blob.Bytes()))
	blob.Release()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "bytes that Go allocated")
}

// TestFileBox_ReadAll: the size that the system tells is a guess.
func TestFileBox_ReadAll(t *testing.T) {
	h, err := loader.Open("../nyash.toml", loader.WithMemoryTracking(), loader.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer h.Close()
	box := newBox(t, h, "FileBox")
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 65_535, 65_536, 65_537, 1 << 20} {
		data := bytes.Repeat([]byte{7}, size)
		call(t, box, "open", path, "w+")
		assert.EqualValues(t, size, callInt(t, box, "writeAll", data))
		r, err := box.Call(t.Context(), "readAll")
		blob := blobOf(t, r, err)
		assert.True(t, bytes.Equal(data, blob.Bytes()), size)
		blob.Release()
		call(t, box, "close")
	}
	if _, err := os.Stat("/proc/self/maps"); err == nil { // of size 0, the system says
		call(t, box, "open", "/proc/self/maps", "r")
		r, err := box.Call(t.Context(), "readAll")
		blob := blobOf(t, r, err)
		assert.Contains(t, string(blob.Bytes()), "filebox")
		blob.Release()
		call(t, box, "close")
	}
	_, err = box.Call(t.Context(), "readAll")
	require.EqualError(t, err, "FileBox.readAll: plugin error (-5): no file is open: call open first")
	assert.Zero(t, memoryOf(t, h).Blocks)
}
