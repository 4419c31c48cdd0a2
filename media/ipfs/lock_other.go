//go:build !unix || solaris || illumos || aix

package ipfs

import "os"

// lockFile opens the file without a lock: on these systems it is the operator who starts only one process per folder.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
