//go:build unix

package web

import (
	"math"

	"golang.org/x/sys/unix"
)

// diskOf tells the bytes used, free for us, and there at all on the disk that holds path.
func diskOf(path string) (used, free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, 0, err
	}
	size := func(blocks uint64) int64 { return int64(min(blocks*uint64(s.Bsize), math.MaxInt64)) }
	return size(s.Blocks - s.Bfree), size(s.Bavail), size(s.Blocks), nil
}
