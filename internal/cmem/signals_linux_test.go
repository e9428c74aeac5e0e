package cmem_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

const envChild = "NYASH_TEST_CMEM"

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		os.Exit(withoutSignals())
	}
	os.Exit(m.Run())
}

// A process that dies of faults reads wild pointers too, and lives.
func TestWithoutSignals(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), envChild+"="+filepath.Join(t.TempDir(), "file"))
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "done\n", string(out))
}

// said is a testing.T that prints.
type said struct{ failed bool }

func (s *said) Errorf(format string, args ...any) {
	s.failed = true
	fmt.Printf(format, args...)
}

func (s *said) FailNow() { os.Exit(2) }

func withoutSignals() int {
	t := &said{}
	for _, s := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS} {
		var action [4]uint64 // the default one
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
		assert.Zero(t, errno)
	}
	cmem.WithoutSignals()
	testWildPointers(t)

	const page = 4096
	pages, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	require.NoError(t, err)
	copy(pages[page-10:], "five\x00fives")
	require.NoError(t, syscall.Mprotect(pages[page:], syscall.PROT_NONE))
	addr := uintptr(unsafe.Pointer(&pages[page-10]))
	text, err := cmem.CString(addr, 100)
	require.NoError(t, err)
	assert.Equal(t, "five", text)
	var fault *cmem.FaultError
	_, err = cmem.CString(addr+5, 100) // ends at the page's end
	assert.ErrorAs(t, err, &fault)
	_, err = cmem.CString(addr+5, 5)
	assert.EqualError(t, err, fmt.Sprintf("no NUL within 5 bytes of address %#x", addr+5))
	var to [20]byte
	assert.NoError(t, cmem.Copy(unsafe.Pointer(&to), addr, 10))
	assert.ErrorAs(t, cmem.Copy(unsafe.Pointer(&to), addr, 11), &fault)
	assert.NoError(t, cmem.Probe(addr, 10))
	assert.ErrorAs(t, cmem.Probe(addr, 11), &fault)

	file, err := os.Create(os.Getenv(envChild))
	require.NoError(t, err)
	require.NoError(t, file.Truncate(page))
	mapped, err := syscall.Mmap(int(file.Fd()), 0, page, syscall.PROT_READ, syscall.MAP_SHARED)
	require.NoError(t, err)
	addr = uintptr(unsafe.Pointer(&mapped[0]))
	assert.NoError(t, cmem.Probe(addr, page))
	require.NoError(t, file.Truncate(0))
	_, err = cmem.CString(addr, 100)
	assert.ErrorAs(t, err, &fault)
	if t.failed {
		return 1
	}
	fmt.Println("done")
	return 0
}
