package transcode

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// oneFile is a read-only file system that holds the file at this path and
// nothing else, under oneName.
type oneFile string

const oneName = "audio"

// Open implements fs.FS.
func (f oneFile) Open(name string) (fs.File, error) {
	switch name {
	case oneName:
		return os.Open(string(f))
	case ".":
		return emptyDir{}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// emptyDir is the root of a oneFile, without a listing: the program that is
// given it knows the one name.
type emptyDir struct{}

func (emptyDir) Stat() (fs.FileInfo, error) { return emptyDir{}, nil }
func (emptyDir) Read([]byte) (int, error)   { return 0, errors.New("is a directory") }
func (emptyDir) Close() error               { return nil }
func (emptyDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 {
		return nil, io.EOF
	}
	return nil, nil
}
func (emptyDir) Name() string       { return "." }
func (emptyDir) Size() int64        { return 0 }
func (emptyDir) Mode() fs.FileMode  { return fs.ModeDir | 0o500 }
func (emptyDir) ModTime() time.Time { return time.Time{} }
func (emptyDir) IsDir() bool        { return true }
func (emptyDir) Sys() any           { return nil }
