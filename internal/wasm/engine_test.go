package wasm

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLeft: so many programs may be compiled for nobody, and no others are compiled meanwhile;
// one that is may be joined.
func TestLeft(t *testing.T) {
	key := func(n int) programKey { return programKey{hash: [32]byte{byte(n)}, pages: 1} }
	compiling := make(chan struct{})
	failed := errors.New("compiled")
	start := func(n int) (*program, error) {
		return join(key(n), func(*program) error {
			<-compiling
			return failed
		})
	}
	var all []*program
	for n := range maxLeft {
		p, err := start(n)
		require.NoError(t, err)
		all = append(all, p)
		p.release() // whoever waited has given up
	}
	_, err := start(maxLeft)
	require.ErrorIs(t, err, errLeft)
	again, err := start(0)
	require.NoError(t, err)
	assert.Same(t, all[0], again)
	other, err := start(maxLeft)
	require.NoError(t, err, "somebody waits for one of them again")
	close(compiling)
	for _, p := range append(all, other) {
		<-p.ready
	}
	require.ErrorIs(t, again.err, failed)
	again.release()
	other.release()
	programs.Lock()
	defer programs.Unlock()
	assert.Zero(t, programs.left)
}

// TestRelease: a program is gone as soon as its last user has left, whatever the goroutine that has compiled
// it does.
func TestRelease(t *testing.T) {
	key := programKey{hash: [32]byte{1}, pages: 1}
	ended := make(chan struct{})
	var others sync.WaitGroup
	for range 4 { // that the goroutine has to wait for
		others.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					programs.Lock()
					runtime.Gosched()
					programs.Unlock()
				}
			}
		})
	}
	defer others.Wait()
	defer close(ended)
	for range 20_000 {
		p, err := join(key, func(*program) error { return nil })
		require.NoError(t, err)
		<-p.ready
		p.release()
		programs.Lock()
		left := len(programs.all)
		programs.Unlock()
		require.Zero(t, left)
	}
}

func TestStub(t *testing.T) {
	module := func(body ...byte) []byte {
		code := append([]byte{1, byte(len(body))}, body...)
		return append([]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a"), append([]byte{byte(len(code))}, code...)...)
	}
	one, err := stub(module(0, 0x0b))
	require.NoError(t, err)
	two, err := stub(module(0, 0x01, 0x0b))
	require.NoError(t, err)
	assert.Len(t, two, len(one))
	assert.NotEqual(t, one, two, "it names what it is of")
	assert.Equal(t, "\x0a\x05\x01"+trapBody, string(one[len(one)-7:]))
	for n := 9; n < len(module(0, 0x0b)); n++ {
		if cut, err := stub(module(0, 0x0b)[:n]); err == nil {
			assert.NotEqual(t, one, cut)
		}
	}
	dir := t.TempDir()
	name, err := codeName(dir, one)
	require.NoError(t, err)
	assert.True(t, filepath.IsLocal(name))
	_, err = codeName(t.TempDir(), []byte("none"))
	require.Error(t, err)
}

// TestKeptOnly: the engine compiles no stub.
func TestKeptOnly(t *testing.T) {
	text := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x0b")
	r, err := acquireRuntime(runtimeKey{1, t.TempDir()})
	require.NoError(t, err)
	defer r.release()
	_, err = r.CompileModule(keptOnly, text)
	require.Error(t, err)
}

func TestPrune(t *testing.T) {
	root := t.TempDir()
	write := func(name string, age time.Duration) string {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, make([]byte, 100), 0o600))
		used := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, used, used))
		return path
	}
	oldest := write("old-engine/code", 5*time.Hour)
	older := write("a.module", 4*time.Hour)
	young := write("wazero/code", time.Minute)
	entry := write("b.module", time.Minute)
	abandoned := write("entry-1.tmp", 2*time.Hour)
	building := write("entry-2.tmp", time.Minute)
	prune(root, 250)
	assert.NoFileExists(t, oldest)
	assert.NoDirExists(t, filepath.Dir(oldest))
	assert.NoFileExists(t, older)
	assert.FileExists(t, young)
	assert.FileExists(t, entry)
	assert.NoFileExists(t, abandoned)
	assert.FileExists(t, building)
	prune(filepath.Join(root, "none"), 0)
	prune(root, 0)
	assert.NoFileExists(t, entry)
}
