package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"antiphon/media/seal"
)

// demo is one run: a payment network, three instances, an artist and a listener.
type demo struct {
	dir    string
	audio  string
	engine string
	cache  string
	// binary is the program that runs; this one when empty. settings are ANTIPHON_ variables of every instance.
	binary   string
	settings []string
	// front, when it is set, may stand something before an instance that has not started.
	front func(*instance)
	// pool has the artist's and the listener's instance share a listening pool.
	pool     bool
	story    *story
	network  *network
	artists  *instance
	home     *instance
	proxy    *instance
	ada, lin *user
	draft    string
	track    string
	order    string

	key        seal.ContentKey
	master     string
	renditions []*sealedRendition

	// second is another track of the artist's, and secondAudio the file that it was made of; lent is what the pool has lent of
	// it, and album a release of both tracks.
	second, secondAudio string
	lent                granted
	lentKey             seal.ContentKey
	album               string
	max                 *user
}

// runDemo shows everything that Antiphon is for on this machine.
func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("demo", stderr)
	d := &demo{pool: true, story: &story{out: stdout, begun: time.Now()}}
	set.StringVar(&d.audio, "audio", "", "audio file to post; a short piece of our own when empty")
	set.StringVar(&d.dir, "dir", "", "new folder for the data; a temporary one, removed at the end, when empty")
	set.StringVar(&d.engine, "engine", "auto", "auto, native or embedded FFmpeg")
	set.StringVar(&d.cache, "cache", "", "folder for the embedded FFmpeg's compiled code; in the data folder when empty")
	exit := set.Bool("exit", false, "end after the last step instead of leaving the instances running")
	set.BoolVar(&d.story.json, "json", false, "print one JSON object a step")
	if err := parse(set, args); err != nil {
		return err
	}
	if d.dir == "" {
		dir, err := os.MkdirTemp("", "antiphon-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		d.dir = dir
	} else if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	defer d.stop()
	if err := d.run(ctx); err != nil {
		return err
	}
	if *exit {
		return nil
	}
	d.farewell(stdout)
	<-ctx.Done()
	return nil
}

// run tells the story from an empty disk to music.
func (d *demo) run(ctx context.Context) error {
	if err := d.prepare(); err != nil {
		return err
	}
	for _, scene := range d.scenes() {
		if err := d.play(ctx, scene); err != nil {
			return err
		}
	}
	return nil
}

// scene is one step of the story.
type scene struct {
	name string
	run  func(ctx context.Context, made map[string]any) error
}

// scenes are the steps in their order. Each can be played again after it failed halfway.
func (d *demo) scenes() []scene {
	return []scene{
		{"start the payment network", d.startNetwork},
		{"start three instances", d.startInstances},
		{"sign up the artist and the listener", d.signUp},
		{"the listener follows the artist", d.follow},
		{"the artist uploads a file", d.upload},
		{"probed, transcoded, sealed, stored", d.waitReady},
		{"the artist sets a price and publishes", d.publish},
		{"the announcement reaches the listener", d.waitAnnounced},
		{"the listener offers to buy; the invoice comes", d.offer},
		{"the listener's node pays through the hub", d.pay},
		{"the payment is seen; receipt and grant arrive", d.waitGranted},
		{"two proxies re-encrypt; the key opens", d.openGrant},
		{"sealed segments fetched by CID and checked", d.fetchSegments},
		{"decrypted; a wrong key opens nothing", d.decrypt},
		{"the sound is the one that was posted", d.compare},
		{"the files to keep open, and sound alike", d.keep},
		{"no data folder holds any of it in the clear", d.searchClear},
		{"a second track goes into the listening pool", d.lend},
		{"the listener joins; a wallet pays the dues", d.join},
		{"a member's first play: the pool lends it", d.borrow},
		{"half of it is heard, and recorded", d.hear},
		{"where the member's nine dollars go", d.share},
		{"a release of both tracks, with one price", d.release},
		{"the release is bought; its one grant opens", d.buyRelease},
		{"another listener subscribes, by the month", d.subscribe},
	}
}

// patience bounds every step; embedded FFmpeg takes its time over long files.
const patience = 20 * time.Minute

func (d *demo) play(ctx context.Context, s scene) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return d.story.tell(s.name, func(made map[string]any) error { return s.run(ctx, made) })
}

// prepare writes the piece that is posted when none was given.
func (d *demo) prepare() error {
	if d.audio != "" {
		return nil
	}
	d.audio = filepath.Join(d.dir, "Antiphon.wav")
	return pieceAt(d.audio, 24, 220)
}

// pieceAt writes a piece of our own to a file.
func pieceAt(path string, seconds int, pitch float64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(writePiece(f, seconds, pitch), f.Close())
}

func (d *demo) stop() {
	for _, i := range []*instance{d.artists, d.home, d.proxy} {
		if i != nil {
			i.stop()
		}
	}
	if d.network != nil {
		d.network.stop()
	}
}

func (d *demo) farewell(w io.Writer) {
	if d.story.json {
		return
	}
	fmt.Fprintf(w, "\nAll of it runs on; Ctrl-C ends it.\n")
	fmt.Fprintf(w, "  the artist's instance    %s   log in as %s, passphrase %s\n", d.artists.base, d.ada.name, d.ada.passphrase)
	fmt.Fprintf(w, "  the listener's instance  %s   log in as %s, passphrase %s\n", d.home.base, d.lin.name, d.lin.passphrase)
	fmt.Fprintf(w, "  a proxy                  %s   sign up its admin at %s/signup?invite=%s\n", d.proxy.base, d.proxy.base, d.proxy.invite)
}
