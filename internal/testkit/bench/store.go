package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"time"

	"antiphon/media/ipfs"
	"antiphon/media/ipfs/ipfstest"
)

const (
	// fileSize is a download file, blockSize a segment of FLAC.
	fileSize   = 32 << 20
	blockSize  = 512 << 10
	blockCount = fileSize / blockSize
)

// store compares the embedded store with a Kubo daemon as it comes, through its HTTP API, on the same bytes.
func (b *bench) store(ctx context.Context) (err error) {
	repo := filepath.Join(b.dir, "kubo")
	api, stop, err := ipfstest.Start(ctx, repo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	embedded, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(b.dir, "blocks")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, embedded.Close()) }()
	kubo := &kubo{api: api}

	ratios := map[string][]float64{}
	names := []string{"add-file", "read-file", "add-blocks", "read-blocks"}
	for i := range b.rounds {
		// Every round has bytes of its own, because what is there already is not written.
		data := ipfstest.Bytes(uint64(i), fileSize)
		ours, err := times(ctx, embeddedTurn{embedded}, data)
		if err != nil {
			return fmt.Errorf("embedded: %w", err)
		}
		theirs, err := times(ctx, kubo, data)
		if err != nil {
			return fmt.Errorf("kubo: %w", err)
		}
		for k, name := range names {
			ratios[name] = append(ratios[name], theirs[k].Seconds()/ours[k].Seconds())
		}
	}
	for _, name := range names {
		if err := b.report("store/"+name, median(ratios[name]), "x", atLeast(1)); err != nil {
			return err
		}
	}
	return nil
}

// turn is a store as both sides are timed: it keeps bytes under a CID, and gives them back.
type turn interface {
	addFile(ctx context.Context, data []byte) (string, error)
	readFile(ctx context.Context, cid string) ([]byte, error)
	addBlock(ctx context.Context, data []byte) (string, error)
	readBlock(ctx context.Context, cid string) ([]byte, error)
}

// times are how long a store takes to add and read data, as one file and as blocks.
func times(ctx context.Context, s turn, data []byte) (took [4]time.Duration, err error) {
	var file string
	var cids []string
	// Blocks that differ from the file's own chunks.
	block := func(i int) []byte { return append([]byte("block"), data[i*blockSize:(i+1)*blockSize]...) }
	for i, step := range []func() error{
		func() (err error) { file, err = s.addFile(ctx, data); return err },
		func() error {
			got, err := s.readFile(ctx, file)
			if err == nil && !bytes.Equal(got, data) {
				err = errors.New("other bytes came back")
			}
			return err
		},
		func() error {
			for i := range blockCount {
				cid, err := s.addBlock(ctx, block(i))
				if err != nil {
					return err
				}
				cids = append(cids, cid)
			}
			return nil
		},
		func() error {
			for _, cid := range cids {
				if got, err := s.readBlock(ctx, cid); err != nil || len(got) != blockSize+5 {
					return fmt.Errorf("read %d bytes: %w", len(got), err)
				}
			}
			return nil
		},
	} {
		if took[i], err = wall(step); err != nil {
			return took, err
		}
	}
	return took, nil
}

type embeddedTurn struct{ *ipfs.Embedded }

func (e embeddedTurn) addFile(ctx context.Context, data []byte) (string, error) {
	cid, _, err := e.AddFile(ctx, bytes.NewReader(data))
	return string(cid), err
}

func (e embeddedTurn) readFile(ctx context.Context, cid string) ([]byte, error) {
	f, err := e.OpenFile(ctx, ipfs.CID(cid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (e embeddedTurn) addBlock(ctx context.Context, data []byte) (string, error) {
	cid, err := e.Put(ctx, data)
	return string(cid), err
}

func (e embeddedTurn) readBlock(ctx context.Context, cid string) ([]byte, error) {
	return e.Get(ctx, ipfs.CID(cid))
}

// kubo speaks to a daemon's HTTP API directly, with nothing of ours in between.
type kubo struct{ api string }

func (k *kubo) addFile(ctx context.Context, data []byte) (string, error) {
	var added struct{ Hash string }
	err := k.upload(ctx, "add?cid-version=1&raw-leaves=true", data, &added)
	return added.Hash, err
}

func (k *kubo) addBlock(ctx context.Context, data []byte) (string, error) {
	var added struct{ Key string }
	err := k.upload(ctx, "block/put?cid-codec=raw", data, &added)
	return added.Key, err
}

func (k *kubo) readFile(ctx context.Context, cid string) ([]byte, error) {
	return k.call(ctx, "cat?arg="+cid, "", nil)
}

func (k *kubo) readBlock(ctx context.Context, cid string) ([]byte, error) {
	return k.call(ctx, "block/get?arg="+cid, "", nil)
}

func (k *kubo) upload(ctx context.Context, path string, data []byte, into any) error {
	head := &bytes.Buffer{}
	form := multipart.NewWriter(head)
	if _, err := form.CreateFormFile("file", "data"); err != nil {
		return err
	}
	tail := "\r\n--" + form.Boundary() + "--\r\n"
	body := io.MultiReader(head, bytes.NewReader(data), bytes.NewBufferString(tail))
	answer, err := k.call(ctx, path, form.FormDataContentType(), body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

func (k *kubo) call(ctx context.Context, path, contentType string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.api+"/api/v0/"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, resp.Status, answer)
	}
	return answer, err
}
