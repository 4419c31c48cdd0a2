package transcode

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine puts the command into a process group of its own, to be killed whole
// when its context ends, and to die with this program.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// limit bounds the started process. A process that has ended already is fine.
func limit(cmd *exec.Cmd, l Limits) error {
	for resource, value := range map[int]uint64{
		// Libraries alone map some 500 MB of addresses without using the memory.
		unix.RLIMIT_AS:    uint64(l.MemoryBytes) + 1<<30,
		unix.RLIMIT_FSIZE: uint64(l.OutputBytes),
		unix.RLIMIT_CPU:   uint64(math.Ceil(l.Time.Seconds())) * 2,
		unix.RLIMIT_CORE:  0,
	} {
		lim := unix.Rlimit{Cur: value, Max: value}
		if err := unix.Prlimit(cmd.Process.Pid, resource, &lim, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			_ = cmd.Cancel()
			return fmt.Errorf("limit ffmpeg: %w", err)
		}
	}
	return nil
}
