package raidendev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

var (
	// ErrLocked means that another process has the network open.
	ErrLocked = errors.New("development network is in use by another process")
	// ErrCorrupt means that the journal was damaged elsewhere than at its end.
	ErrCorrupt = errors.New("journal of the development network is damaged")
)

// journal is an append-only file of lines: a checksum (CRC-32, 8 hexadecimal digits), a space, a record as JSON. What
// a killed process has half written at the end is cut off when the file is opened.
type journal struct {
	file *os.File
	err  error // of the first write that failed: from then on nothing is certain
}

// openJournal replays the file into the state, which must be new, and stands ready to append.
func openJournal(path string, s *state) (*journal, error) {
	f, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	if err := replay(f, s); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{file: f}, nil
}

func replay(f *os.File, s *state) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	good := 0
	for line := range bytes.Lines(data) {
		r, err := parseLine(line)
		if err != nil {
			if anyGood(data[good+len(line):]) {
				return fmt.Errorf("%w: after record %d: %w", ErrCorrupt, s.next, err)
			}
			break
		}
		if err := s.apply(r); err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrCorrupt, r.N, err)
		}
		good += len(line)
	}
	if good < len(data) {
		if err := f.Truncate(int64(good)); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	_, err = f.Seek(int64(good), io.SeekStart)
	return err
}

func parseLine(line []byte) (record, error) {
	var r record
	if len(line) < 10 || line[8] != ' ' || line[len(line)-1] != '\n' {
		return r, errors.New("not a journal line")
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	body := line[9 : len(line)-1]
	if err != nil || crc32.ChecksumIEEE(body) != uint32(sum) {
		return r, errors.New("wrong checksum")
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("unreadable record: %w", err)
	}
	return r, nil
}

func anyGood(data []byte) bool {
	for line := range bytes.Lines(data) {
		if _, err := parseLine(line); err == nil {
			return true
		}
	}
	return false
}

// append writes the record. It is safe from a kill at once, and from a power failure after sync.
func (j *journal) append(r record) error {
	if j.err != nil {
		return j.err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	line := make([]byte, 0, len(body)+10)
	line = fmt.Appendf(line, "%08x ", crc32.ChecksumIEEE(body))
	line = append(append(line, body...), '\n')
	if _, err := j.file.Write(line); err != nil {
		j.err = fmt.Errorf("write journal: %w", err)
	}
	return j.err
}

func (j *journal) sync() error {
	if j.err == nil {
		if err := j.file.Sync(); err != nil {
			j.err = fmt.Errorf("sync journal: %w", err)
		}
	}
	return j.err
}

// close gives the lock back. Nothing can be appended afterwards.
func (j *journal) close() error {
	err := j.sync()
	j.err = os.ErrClosed
	return errors.Join(err, unlockFile(j.file), j.file.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
