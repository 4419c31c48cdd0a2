package fabricdev

import "syscall"

// attached makes a process end with this one, also when this one is killed, and keeps a Ctrl-C meant for this one from it:
// the network is stopped in its order.
func attached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
