package loader_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	_ "github.com/nyash-plugins/nyash-go/loader/wasm"
	"github.com/nyash-plugins/nyash-go/loader/worker"
)

// TestMain builds FileBox, which the examples use by the nyash.toml of this
// repository.
func TestMain(m *testing.M) {
	worker.Main() // the tests are their own worker
	if out, err := exec.Command("make", "-s", "-C", "../plugins/filebox").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build plugins/filebox (see README.md; `make test` installs what is missing): %v\n%s", err, out)
		os.Exit(1)
	}
	leaveOutForModules()
	os.Exit(m.Run())
}
