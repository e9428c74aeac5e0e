package wasm

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// TestDependencies: the engine is in programs that ask for it, and in no others.
func TestDependencies(t *testing.T) {
	const module, engine = "github.com/nyash-plugins/nyash-go/", "github.com/tetratelabs/wazero"
	for name, has := range map[string]bool{
		"loader": false, "loader/worker": false, "registry": false, "tools/script": false, "tools/generate": false,
		"loader/wasm": true, "cmd/nyash": true, "cmd/plugin-tester": true, "cmd/nyash-worker": true,
	} {
		got := strings.Contains(ccbuild.Run(t, "go", "list", "-deps", module+name), engine+"\n")
		assert.Equal(t, has, got, name)
	}
}
