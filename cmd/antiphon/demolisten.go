package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/hls"
	"antiphon/media/ipfs"
	"antiphon/media/probe"
	"antiphon/media/seal"
	"antiphon/media/transcode"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// sealedSegment is a segment as it lies in the store, with what opens it beside the key.
type sealedSegment struct {
	iv   seal.IV
	data []byte
}

// sealedRendition is one rendition as the listener's instance gave it.
type sealedRendition struct {
	name     string
	init     []byte
	segments []sealedSegment
	// clear is the whole rendition once it was opened.
	clear []byte
}

func (d *demo) openGrant(ctx context.Context, made map[string]any) error {
	g, err := d.lin.grant(ctx, d.track)
	if err != nil {
		return err
	}
	var grant vocab.Grant
	grant, d.key, err = d.lin.open(ctx, g, d.track)
	made["threshold"] = threshold(grant)
	return err
}

func threshold(g vocab.Grant) string { return fmt.Sprintf("%d of %d", g.Threshold, len(g.Proxies)) }

// open checks a grant as the browser does, and opens the key of one of its tracks.
func (u *user) open(ctx context.Context, g granted, track string) (vocab.Grant, seal.ContentKey, error) {
	var key seal.ContentKey
	grant, err := checkGrant(g)
	if err != nil {
		return grant, key, err
	}
	receiving, _, err := u.keys()
	if err != nil {
		return grant, key, err
	}
	for _, item := range grant.Items {
		if item.Track != track {
			continue
		}
		// A fragment may still be on its way to its proxy.
		return grant, key, every(ctx, 200*time.Millisecond, func() (bool, error) {
			key, err = access.Open(ctx, grant, item, receiving, u.ask)
			if errors.Is(err, access.ErrOpen) && strings.Contains(err.Error(), "unknown-grant") {
				return false, nil
			}
			return err == nil, err
		})
	}
	return grant, key, errors.New("the grant does not name the track")
}

func (d *demo) fetchSegments(ctx context.Context, made map[string]any) error {
	var err error
	d.renditions, err = d.fetch(ctx, d.master)
	segments, size := 0, 0
	for _, r := range d.renditions {
		segments += len(r.segments)
		for _, s := range r.segments {
			size += len(s.data)
		}
	}
	made["renditions"], made["segments"], made["bytes"] = len(d.renditions), segments, size
	return err
}

func (d *demo) decrypt(context.Context, map[string]any) error {
	var wrong seal.ContentKey
	if _, err := rand.Read(wrong[:]); err != nil {
		return err
	}
	for _, r := range d.renditions {
		if err := r.open(d.key); err != nil {
			return fmt.Errorf("rendition %s: %w", r.name, err)
		}
		if opened := r.openedBy(wrong); opened > 0 {
			return fmt.Errorf("rendition %s: a wrong key opens %d segments", r.name, opened)
		}
	}
	return nil
}

// checkGrant does what the browser does: the proof has to be by a key that the artist published.
func checkGrant(g granted) (vocab.Grant, error) {
	verified, err := proof.Verify(g.Grant, func(c proof.Claim) (ed25519.PublicKey, error) {
		return multikey.DecodeEd25519(g.Keys[c.VerificationMethod])
	}, time.Now())
	if err != nil {
		return vocab.Grant{}, err
	}
	return vocab.ReadGrant(verified.Raw)
}

// block gets a block from the listener's own instance and checks it against its CID.
func (d *demo) block(ctx context.Context, name string) ([]byte, error) {
	c, err := ipfs.ParseCID(name)
	if err != nil {
		return nil, err
	}
	block, err := d.lin.get(ctx, "/ipfs/"+name)
	if err == nil && !c.Matches(block) {
		err = fmt.Errorf("block %s is not what its CID says", c)
	}
	return block, err
}

func (d *demo) fetch(ctx context.Context, master string) ([]*sealedRendition, error) {
	manifest, err := d.block(ctx, strings.TrimPrefix(master, "/ipfs/"))
	if err != nil {
		return nil, err
	}
	variants, err := hls.ParseMaster(bytes.NewReader(manifest))
	if err != nil {
		return nil, err
	}
	var all []*sealedRendition
	for _, v := range variants.Variants {
		text, err := d.block(ctx, v.CID)
		if err != nil {
			return nil, err
		}
		playlist, err := hls.ParseMedia(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		r := &sealedRendition{name: playlist.Rendition}
		if r.init, err = d.block(ctx, playlist.Init); err != nil {
			return nil, err
		}
		for _, segment := range playlist.Segments {
			data, err := d.block(ctx, segment.CID)
			if err != nil {
				return nil, err
			}
			r.segments = append(r.segments, sealedSegment{iv: segment.IV, data: data})
		}
		all = append(all, r)
	}
	return all, nil
}

// open decrypts the rendition into one file.
func (r *sealedRendition) open(key seal.ContentKey) error {
	r.clear = bytes.Clone(r.init)
	for i, s := range r.segments {
		clear, err := seal.Decrypt(nil, seal.Key(key, r.name), s.iv, s.data)
		if err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
		r.clear = append(r.clear, clear...)
	}
	return nil
}

// openedBy counts the segments that a key turns into a fragment of MP4. A wrong key passes the padding's check once in
// 256 times, so what counts is the box that must stand first.
func (r *sealedRendition) openedBy(key seal.ContentKey) int {
	opened := 0
	for _, s := range r.segments {
		clear, err := seal.Decrypt(nil, seal.Key(key, r.name), s.iv, s.data)
		if err == nil && len(clear) > 8 && (string(clear[4:8]) == "moof" || string(clear[4:8]) == "styp") {
			opened++
		}
	}
	return opened
}

// compare makes the renditions once more from the file that was posted, and holds the decoded sound of both against each
// other, and against the file's own.
func (d *demo) compare(ctx context.Context, made map[string]any) error {
	dir, err := os.MkdirTemp("", "antiphon-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	engine, err := d.openEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	info, err := probe.Probe(ctx, engine, d.audio, probe.Limits{})
	if err != nil {
		return err
	}
	again, err := transcode.Convert(ctx, engine, transcode.Job{
		Source: d.audio, Dir: filepath.Join(dir, "again"), Duration: info.Duration, SampleRate: info.SampleRate,
		Channels: info.Channels, BitDepth: info.BitDepth,
	}, nil)
	if err != nil {
		return err
	}
	posted, err := decode(ctx, engine, d.audio)
	if err != nil {
		return err
	}
	for _, r := range d.renditions {
		path := filepath.Join(dir, r.name+".mp4")
		if err := os.WriteFile(path, r.clear, 0o600); err != nil {
			return err
		}
		played, err := decode(ctx, engine, path)
		if err != nil {
			return err
		}
		for _, other := range again.Renditions {
			if other.Name != r.name {
				continue
			}
			expected, err := decode(ctx, engine, other.Path)
			if err != nil {
				return err
			}
			if !bytes.Equal(played, expected) {
				return fmt.Errorf("rendition %s does not decode to what was made of the file", r.name)
			}
		}
		likeness := correlate(posted, played)
		made[r.name] = fmt.Sprintf("%.4f", likeness)
		if likeness < 0.9 {
			return fmt.Errorf("rendition %s is unlike the file: correlation %.3f", r.name, likeness)
		}
	}
	return nil
}

// decode returns a file's sound as 16-bit mono samples at 22,050 Hz, little endian.
func decode(ctx context.Context, engine transcode.Engine, path string) ([]byte, error) {
	var pcm bytes.Buffer
	err := transcode.Decode(ctx, engine, path, 22050, 1, &pcm)
	return pcm.Bytes(), err
}

// keep takes the files that buyers may keep, opens them with the track's key and listens to them.
func (d *demo) keep(ctx context.Context, made map[string]any) error {
	var g granted
	// They are made once the track is out, and nobody waits for them but this story.
	err := every(ctx, 200*time.Millisecond, func() (bool, error) {
		var err error
		g, err = d.lin.grant(ctx, d.track)
		return len(g.Track.Downloads) > 0, err
	})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "antiphon-keep-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	engine, err := d.openEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	posted, err := decode(ctx, engine, d.audio)
	if err != nil {
		return err
	}
	for _, file := range g.Track.Downloads {
		sealed, err := d.lin.get(ctx, file.URL)
		if err != nil {
			return err
		}
		r, err := seal.NewReader(bytes.NewReader(sealed), seal.DownloadKey(d.key, file.Format), media.DownloadContext(d.track, file.Format))
		if err != nil {
			return fmt.Errorf("open %s: %w", file.Format, err)
		}
		clear, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("open %s: %w", file.Format, err)
		}
		path := filepath.Join(dir, "track."+file.Format)
		if err := os.WriteFile(path, clear, 0o600); err != nil {
			return err
		}
		played, err := decode(ctx, engine, path)
		if err != nil {
			return err
		}
		likeness := correlate(posted, played)
		made[file.Format] = fmt.Sprintf("%.4f", likeness)
		if likeness < 0.9 {
			return fmt.Errorf("%s is unlike the file: correlation %.3f", file.Format, likeness)
		}
	}
	return nil
}

func (d *demo) openEngine(ctx context.Context) (transcode.Engine, error) {
	cache := cmp.Or(d.cache, filepath.Join(d.artists.dir, "cache"))
	return transcode.Open(ctx, transcode.Config{Mode: transcode.Mode(d.engine), CacheDir: cache})
}
