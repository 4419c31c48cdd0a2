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
	"slices"
	"time"

	"antiphon/media/ipfs"
	"antiphon/media/ipfs/ipfstest"
)

const (
	// fileSize is a short download, blockSize a segment of FLAC. Short turns, many of them: what else the machine does then
	// falls on both sides alike.
	fileSize   = 8 << 20
	blockSize  = 512 << 10
	storeTurns = 5 // for each round
)

// store compares the embedded store with a Kubo daemon as it comes, through its HTTP API, on the same bytes. The embedded
// one has them on the disk when it returns; the daemon leaves that to the system.
func (b *bench) store(ctx context.Context) (err error) {
	api, stop, err := ipfstest.Start(ctx, filepath.Join(b.dir, "kubo"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	embedded, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(b.dir, "blocks")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, embedded.Close()) }()

	ratios := map[string][]float64{}
	for i := range b.rounds * storeTurns {
		// Every turn has bytes of its own, because what is there already is not written.
		data := ipfstest.Bytes(uint64(i), fileSize)
		ours, theirs := steps(ctx, embeddedSide{embedded}, data), steps(ctx, kuboSide{api}, data)
		for k := range ours {
			pair := []step{ours[k], theirs[k]}
			var took [2]time.Duration
			for side := range pair {
				side = (side + i) % 2 // they take turns in going first
				if took[side], err = wall(pair[side].run); err != nil {
					return fmt.Errorf("%s: %w", pair[side].name, err)
				}
			}
			ratios[ours[k].name] = append(ratios[ours[k].name], took[1].Seconds()/took[0].Seconds())
		}
	}
	for _, s := range steps(ctx, nil, nil) {
		if err := b.report("store/"+s.name, median(ratios[s.name]), "x", atLeast(1)); err != nil {
			return err
		}
	}
	return nil
}

// side is a store as both are timed: it keeps bytes under a CID, and gives them back.
type side interface {
	addFile(ctx context.Context, data []byte) (string, error)
	readFile(ctx context.Context, cid string) ([]byte, error)
	addBlock(ctx context.Context, data []byte) (string, error)
	readBlock(ctx context.Context, cid string) ([]byte, error)
}

type step struct {
	name string
	run  func() error
}

// steps add and read data, as one file and as blocks.
func steps(ctx context.Context, s side, data []byte) []step {
	var file string
	var cids []string
	return []step{
		{"add-file", func() (err error) {
			file, err = s.addFile(ctx, data)
			return err
		}},
		{"read-file", func() error {
			got, err := s.readFile(ctx, file)
			if err == nil && !bytes.Equal(got, data) {
				err = errors.New("other bytes came back")
			}
			return err
		}},
		{"add-blocks", func() error {
			for block := range slices.Chunk(data, blockSize) {
				cid, err := s.addBlock(ctx, block)
				if err != nil {
					return err
				}
				cids = append(cids, cid)
			}
			return nil
		}},
		{"read-blocks", func() error {
			for i, cid := range cids {
				got, err := s.readBlock(ctx, cid)
				if err == nil && !bytes.Equal(got, data[i*blockSize:(i+1)*blockSize]) {
					err = errors.New("other bytes came back")
				}
				if err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

type embeddedSide struct{ *ipfs.Embedded }

func (e embeddedSide) addFile(ctx context.Context, data []byte) (string, error) {
	cid, _, err := e.AddFile(ctx, bytes.NewReader(data))
	return string(cid), err
}

func (e embeddedSide) readFile(ctx context.Context, cid string) ([]byte, error) {
	f, err := e.OpenFile(ctx, ipfs.CID(cid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (e embeddedSide) addBlock(ctx context.Context, data []byte) (string, error) {
	cid, err := e.Put(ctx, data)
	return string(cid), err
}

func (e embeddedSide) readBlock(ctx context.Context, cid string) ([]byte, error) {
	return e.Get(ctx, ipfs.CID(cid))
}

// kuboSide speaks to a daemon's HTTP API directly, with nothing of ours in between.
type kuboSide struct{ api string }

func (k kuboSide) addFile(ctx context.Context, data []byte) (string, error) {
	var added struct{ Hash string }
	err := k.upload(ctx, "add?cid-version=1&raw-leaves=true", data, &added)
	return added.Hash, err
}

func (k kuboSide) addBlock(ctx context.Context, data []byte) (string, error) {
	var added struct{ Key string }
	err := k.upload(ctx, "block/put?cid-codec=raw", data, &added)
	return added.Key, err
}

func (k kuboSide) readFile(ctx context.Context, cid string) ([]byte, error) {
	return k.call(ctx, "cat?arg="+cid, "", nil)
}

func (k kuboSide) readBlock(ctx context.Context, cid string) ([]byte, error) {
	return k.call(ctx, "block/get?arg="+cid, "", nil)
}

func (k kuboSide) upload(ctx context.Context, path string, data []byte, into any) error {
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

func (k kuboSide) call(ctx context.Context, path, contentType string, body io.Reader) ([]byte, error) {
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
