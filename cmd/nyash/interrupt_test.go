//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

const hangs = `
#include <string.h>
#include <unistd.h>
#include "nyash_plugin.h"
static const NyashHostVtable *host;
uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) { host = h; info->type_id = 5; return NYASH_OK; }
int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    (void)type; (void)instance; (void)args; (void)args_len;
    if (method == NYASH_METHOD_BIRTH) { memcpy(result, (uint8_t[]){1, 0, 0, 0}, 4); *result_len = 4; return NYASH_OK; }
    if (method == 1) { host->log(NYASH_LOG_ERROR, "it hangs"); for (;;) pause(); }
    *result_len = 0;
    return NYASH_OK;
}
void nyash_plugin_shutdown(void) {}
`

// TestInterrupt: a command ends with the signals that it gets, whatever its plugins do.
func TestInterrupt(t *testing.T) {
	c := newCommand(t)
	library := ccbuild.Source(t, "hangs", hangs)
	c.write(t, "hangs.toml", "[plugins.Hangs]\nlibrary = \""+library+"\"\n[plugins.Hangs.methods]\nhang = { method_id = 1 }\n")
	c.write(t, "hang.star", "Hangs().hang()\n")
	fifo := filepath.Join(c.dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = writer.Close() })
	tests := map[string]struct {
		args    []string
		waits   string // the line that says that it hangs; empty where it says nothing
		signals int
	}{
		"in this process":   {[]string{"--config", "hangs.toml", "run", "hang.star"}, "it hangs", 2},
		"in its own":        {[]string{"--config", "hangs.toml", "--isolation", "process", "run", "hang.star"}, "it hangs", 1},
		"a file that waits": {[]string{"--config", "fifo", "list"}, "", 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(c.bin, tt.args...)
			cmd.Dir = c.dir
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(stderr)
			read := func(text string) {
				for lines.Scan() {
					if strings.Contains(lines.Text(), text) {
						return
					}
				}
				assert.Fail(t, "it never said "+text)
			}
			if tt.waits != "" {
				read(tt.waits)
			} else {
				_, err := writer.Write(bytes.Repeat([]byte("#"), 1<<17)) // more than a pipe holds: the command reads
				require.NoError(t, err)
			}
			start := time.Now()
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			read("interrupted; once more ends it at once")
			if tt.signals == 2 {
				require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			}
			for lines.Scan() {
				continue
			}
			require.Error(t, cmd.Wait())
			assert.Less(t, time.Since(start), 15*time.Second)
		})
	}
}
