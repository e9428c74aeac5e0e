package plugintest_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// TestCrash_WithoutDebugger tests plugins that crash where no gdb is in PATH.
func TestCrash_WithoutDebugger(t *testing.T) {
	tests := map[string]struct {
		flags []string
		at    string // the frame
		file  string
	}{
		"with debug information": {nil, "nyash_plugin_init at ", "counter.h"},
		"with symbols":           {[]string{"-g0"}, "nyash_plugin_init+0x", ""},
		"stripped":               {[]string{"-g0", "-s"}, "nyash_plugin_init+0x", ""},
	}
	libraries := make(map[string]string)
	for name, tt := range tests {
		libraries[name] = ccbuild.Library(t, "../../tests/faulty/testdata/crash_init.c", append(tt.flags, "-fvisibility=hidden")...)
	}
	t.Setenv("PATH", t.TempDir())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			report, err := open(t, plugintest.Config{File: libraries[name]}).Run(context.Background(), "check")
			require.NoError(t, err)
			require.Len(t, report.Findings, 1)
			f := report.Findings[0]
			assert.Equal(t, "crash", f.Code)
			require.Len(t, f.Backtrace, 1)
			assert.Contains(t, f.Backtrace[0], tt.at)
			if tt.file != "" {
				assert.Equal(t, tt.file, filepath.Base(f.File))
				assert.Positive(t, f.Line)
			}
		})
	}
}
