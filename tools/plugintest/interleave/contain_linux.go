package interleave

import (
	"os/exec"
	"syscall"
	"time"
)

// contain has the driver's processes end with it: those of the plugin, too.
func contain(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
}
