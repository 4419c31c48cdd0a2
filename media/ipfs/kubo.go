package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ipfs/boxo/files"
	shell "github.com/ipfs/go-ipfs-api"
)

// KuboConfig configures a store on an IPFS daemon.
type KuboConfig struct {
	// API is the address of the daemon's RPC API: a URL such as http://127.0.0.1:5001, or a multiaddr such as
	// /unix/run/ipfs.sock. Whoever reaches it rules the daemon, so it does not belong on a public address.
	API string
	// Network lets Get and OpenFile ask other nodes for blocks that the daemon does not have. Default false.
	Network bool
	// Timeout bounds each call that handles one block. Default 30 s.
	Timeout time.Duration
	// FileTimeout bounds AddFile and Delete of a file. Default 30 min.
	FileTimeout time.Duration
}

// Kubo is a Store on an IPFS daemon. What it puts is pinned, so that the daemon's garbage collection leaves it alone.
// The daemon is trusted to keep bytes, not to return the right ones: each block it sends is hashed.
type Kubo struct {
	cfg  KuboConfig
	http *http.Client
	api  *shell.Shell
}

var _ Store = (*Kubo)(nil)

// OpenKubo checks that the daemon answers, and returns a store on it. The caller closes it.
func OpenKubo(ctx context.Context, cfg KuboConfig) (*Kubo, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.FileTimeout <= 0 {
		cfg.FileTimeout = 30 * time.Minute
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * readAhead, IdleConnTimeout: time.Minute}}
	k := &Kubo{cfg: cfg, http: client, api: shell.NewShellWithClient(cfg.API, client)}
	var version struct{ Version string }
	if err := k.call(ctx, cfg.Timeout, k.api.Request("version"), decodeInto(&version)); err != nil {
		return nil, fmt.Errorf("open ipfs daemon at %s: %w", cfg.API, err)
	}
	if version.Version == "" {
		return nil, fmt.Errorf("open ipfs daemon at %s: what answers there is no ipfs daemon", cfg.API)
	}
	return k, nil
}

// Close closes the idle connections to the daemon.
func (k *Kubo) Close() error {
	k.http.CloseIdleConnections()
	return nil
}

// Put keeps and pins block as one raw block; see Store.
func (k *Kubo) Put(ctx context.Context, block []byte) (CID, error) {
	if len(block) > MaxBlock {
		return "", fmt.Errorf("put: %d bytes: %w", len(block), ErrTooLarge)
	}
	want := CIDOf(block)
	req := k.api.Request("block/put").
		Option("cid-codec", "raw").Option("mhtype", "sha2-256").Option("mhlen", 32).Option("pin", true).
		Body(upload(files.NewBytesFile(block)))
	var out struct{ Key string }
	if err := k.call(ctx, k.cfg.Timeout, req, decodeInto(&out)); err != nil {
		return "", fmt.Errorf("put %s: %w", want, err)
	}
	if out.Key != string(want) {
		return "", fmt.Errorf("put %s: the daemon calls it %.80q", want, out.Key)
	}
	return want, nil
}

// Get returns the checked bytes of one block; see Store.
func (k *Kubo) Get(ctx context.Context, c CID) ([]byte, error) {
	if _, err := ParseCID(string(c)); err != nil {
		return nil, err
	}
	var block []byte
	req := k.api.Request("block/get", string(c)).Option("offline", !k.cfg.Network)
	err := k.call(ctx, k.cfg.Timeout, req, func(r io.Reader) (err error) {
		block, err = io.ReadAll(io.LimitReader(r, MaxBlock+1))
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", c, err)
	case len(block) > MaxBlock:
		return nil, fmt.Errorf("get %s: %w", c, ErrTooLarge)
	case !c.Matches(block):
		return nil, fmt.Errorf("get %s: %w", c, ErrDamaged)
	}
	return block, nil
}

// Has reports whether the daemon itself has the block of c; see Store.
func (k *Kubo) Has(ctx context.Context, c CID) (bool, error) {
	_, err := k.length(ctx, c)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (k *Kubo) length(ctx context.Context, c CID) (int64, error) {
	if _, err := ParseCID(string(c)); err != nil {
		return 0, err
	}
	var out struct{ Size int64 }
	req := k.api.Request("block/stat", string(c)).Option("offline", true)
	if err := k.call(ctx, k.cfg.Timeout, req, decodeInto(&out)); err != nil {
		return 0, fmt.Errorf("look up %s: %w", c, err)
	}
	return out.Size, nil
}

// Size is the length in bytes of a raw block or a file; see Store.
func (k *Kubo) Size(ctx context.Context, c CID) (int64, error) {
	if c.Codec() == Raw {
		return k.length(ctx, c)
	}
	return fileSize(ctx, k.Get, c)
}

// AddFile keeps and pins what r yields as a file; see Store.
func (k *Kubo) AddFile(ctx context.Context, r io.Reader) (CID, int64, error) {
	src := &meter{ctx: ctx, r: r}
	// Each option is named, because a daemon's configuration may change its defaults, and with them the CID.
	req := k.api.Request("add").
		Option("cid-version", 1).Option("raw-leaves", true).Option("hash", "sha2-256").
		Option("chunker", fmt.Sprintf("size-%d", chunkSize)).Option("max-file-links", linksPerNode).
		Option("trickle", false).Option("inline", false).Option("pin", true).Option("progress", false).
		Body(upload(files.NewReaderFile(src)))
	var out struct{ Hash string }
	if err := k.call(ctx, k.cfg.FileTimeout, req, decodeInto(&out)); err != nil {
		return "", 0, fmt.Errorf("add file: %w", err)
	}
	c, err := ParseCID(out.Hash)
	if err != nil {
		return "", 0, fmt.Errorf("add file: the daemon's answer: %w", err)
	}
	return c, src.n, nil
}

// OpenFile opens a raw block or a file for reading; see Store.
func (k *Kubo) OpenFile(ctx context.Context, c CID) (io.ReadSeekCloser, error) {
	return openFile(ctx, k.Get, c)
}

// call sends one request and gives its answer to read, within limit.
func (k *Kubo) call(ctx context.Context, limit time.Duration, req *shell.RequestBuilder, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err := req.Send(ctx)
	if err != nil {
		return err
	}
	if resp.Error != nil {
		if m := resp.Error.Message; strings.Contains(m, "could not find") || strings.Contains(m, "not found locally") {
			return ErrNotFound
		}
		return resp.Error
	}
	defer resp.Output.Close()
	if err := read(resp.Output); err != nil {
		return err
	}
	// Read to the end, so that the connection can serve again, but no further than a small answer goes.
	_, err = io.CopyN(io.Discard, resp.Output, 4<<10)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

func decodeInto(v any) func(io.Reader) error {
	return func(r io.Reader) error { return json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(v) }
}

// upload is the multipart body in which the API takes a file.
func upload(f files.Node) io.Reader {
	return files.NewMultiFileReader(files.NewSliceDirectory([]files.DirEntry{files.FileEntry("", f)}), true, false)
}
