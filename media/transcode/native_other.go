//go:build !linux

package transcode

import "os/exec"

// confine leaves the command as it is: its context's end kills the process.
func confine(*exec.Cmd) {}

// limit does nothing here: memory is bounded by -max_alloc, the rest by watch.
func limit(*exec.Cmd, Limits) error { return nil }
