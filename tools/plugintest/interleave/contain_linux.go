package interleave

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// contain has the driver's processes end with it: those of the plugin, too. The driver ends those that
// have left its group.
func contain(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
}

// endGroup ends what the driver's group still has of processes.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// endedBy is the name of the signal that a process was ended by; ok is false where it has ended itself.
func endedBy(state *os.ProcessState) (name string, ok bool) {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() < 0 {
		return "", false
	}
	return unix.SignalName(status.Signal()), true
}
