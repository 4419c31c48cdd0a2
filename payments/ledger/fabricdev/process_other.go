//go:build !linux

package fabricdev

import "syscall"

// attached does nothing here: a process that was not stopped outlives this one.
func attached() *syscall.SysProcAttr { return nil }
