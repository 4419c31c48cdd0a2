package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"antiphon/media/seal"
)

// sealMaster keeps the artist's own file, encrypted with a key of the instance. The file appears whole or not at all.
func (s *Service) sealMaster(ctx context.Context, t Track) error {
	path := s.masterPath(t.ID)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder of masters: %w", err)
	}
	key, err := s.vault.Key("masters")
	if err != nil {
		return err
	}
	source, err := os.Open(s.sourcePath(t))
	if err != nil {
		return fmt.Errorf("open upload: %w", err)
	}
	defer source.Close()
	part := path + ".part"
	dest, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write master: %w", err)
	}
	w, err := seal.NewWriter(dest, seal.FileKey(key), []byte(t.ID), s.rand)
	if err == nil {
		_, err = io.Copy(w, &contextReader{ctx, source})
	}
	if err == nil {
		err = w.Close()
	}
	if err := errors.Join(err, dest.Sync(), dest.Close()); err != nil {
		return fmt.Errorf("write master: %w", err)
	}
	return os.Rename(part, path)
}

// Master opens the artist's own file.
func (s *Service) Master(t Track) (io.ReadCloser, error) {
	key, err := s.vault.Key("masters")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(s.masterPath(t.ID))
	if err != nil {
		return nil, fmt.Errorf("open master: %w", err)
	}
	r, err := seal.NewReader(f, seal.FileKey(key), []byte(t.ID))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, f}, nil
}

// unsealMaster writes the artist's own file in the clear; the caller removes it.
func (s *Service) unsealMaster(ctx context.Context, t Track, path string) error {
	r, err := s.Master(t)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("unseal master: %w", err)
	}
	_, err = io.Copy(w, &contextReader{ctx, r})
	return errors.Join(err, w.Close())
}

// contextReader ends a long copy with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
