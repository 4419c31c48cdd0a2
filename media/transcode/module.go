package transcode

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"codeberg.org/gruf/go-ffmpreg/embed"
)

// The embedding package unpacks FFmpeg into a package variable of 23 MB when
// the program starts, and it would stay there for good. module moves it to a
// file the first time an embedded engine opens, so that only a running job
// pays for it. The variable is the program's, hence so is this state.
var module struct {
	sync.Mutex
	sum  [sha256.Size]byte
	path string // where the first engine put it
}

const moduleFile = "ffmpeg.wasm"

// DropEmbedded frees the embedded FFmpeg's 23 MB in a program that has opened the native engine and will open no other:
// an embedded one cannot be opened after it, unless one was before.
func DropEmbedded() {
	module.Lock()
	defer module.Unlock()
	embed.B = nil
}

// shelve puts the module into dir, unless it lies there, and frees its memory.
func shelve(dir string) error {
	module.Lock()
	defer module.Unlock()
	path := filepath.Join(dir, moduleFile)
	if module.path == "" && embed.B == nil {
		return fmt.Errorf("%w: the embedded one was dropped", ErrUnavailable)
	}
	if module.path == "" {
		module.sum = sha256.Sum256(embed.B)
	}
	if b, err := os.ReadFile(path); err == nil && sha256.Sum256(b) == module.sum {
		module.path = path
		embed.B = nil
		return nil
	}
	b := embed.B
	if module.path != "" {
		var err error
		if b, err = readModule(module.path); err != nil {
			return err
		}
	}
	tmp, err := os.CreateTemp(dir, moduleFile+".*")
	if err != nil {
		return fmt.Errorf("keep ffmpeg module: %w", err)
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("keep ffmpeg module: %w", err)
	}
	module.path = path
	embed.B = nil
	return nil
}

// loadModule reads the shelved module back from dir.
func loadModule(dir string) ([]byte, error) {
	module.Lock()
	defer module.Unlock()
	return readModule(filepath.Join(dir, moduleFile))
}

// readModule refuses a file that is not the module this program was built with.
func readModule(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: read module: %w", ErrUnavailable, err)
	}
	if sha256.Sum256(b) != module.sum {
		return nil, fmt.Errorf("%w: %s was changed", ErrUnavailable, path)
	}
	return b, nil
}
