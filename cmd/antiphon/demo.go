package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// demo is one run: a payment network, three instances, an artist and a listener.
type demo struct {
	dir      string
	audio    string
	engine   string
	story    *story
	network  *network
	artists  *instance
	home     *instance
	proxy    *instance
	ada, lin *user
	draft    string
	track    string
	order    string
}

// runDemo shows everything that Antiphon is for on this machine.
func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.SetOutput(stderr)
	d := &demo{story: &story{out: stdout, begun: time.Now()}}
	set.StringVar(&d.audio, "audio", "", "audio file to post; a short piece of our own when empty")
	set.StringVar(&d.dir, "dir", "", "new folder for the data; a temporary one, removed at the end, when empty")
	set.StringVar(&d.engine, "engine", "auto", "auto, native or embedded FFmpeg")
	exit := set.Bool("exit", false, "end after the last step instead of leaving the instances running")
	set.BoolVar(&d.story.json, "json", false, "print one JSON object a step")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return errUsage
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
	for _, chapter := range []func(context.Context) error{d.begin, d.post, d.buy, d.listen} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// patience bounds every step; embedded FFmpeg takes its time over long files.
const patience = 20 * time.Minute

func (d *demo) step(ctx context.Context, name string, run func(ctx context.Context, made map[string]any) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return d.story.tell(name, func(made map[string]any) error { return run(ctx, made) })
}

// begin starts the network and the instances, and signs up who takes part.
func (d *demo) begin(ctx context.Context) error {
	if d.audio == "" {
		d.audio = filepath.Join(d.dir, "Antiphon.wav")
		f, err := os.OpenFile(d.audio, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(writePiece(f), f.Close()); err != nil {
			return err
		}
	}
	err := d.step(ctx, "start the payment network", func(ctx context.Context, made map[string]any) error {
		d.network = newNetwork(d.dir)
		err := d.network.open(ctx)
		made["asset"], made["nodes"] = d.network.Asset, len(d.network.Nodes)
		return err
	})
	if err != nil {
		return err
	}
	if err := d.step(ctx, "start three instances", d.startInstances); err != nil {
		return err
	}
	return d.step(ctx, "sign up the artist and the listener", func(ctx context.Context, made map[string]any) error {
		var err error
		if d.ada, err = newUser(d.artists.base, "ada"); err != nil {
			return err
		}
		if d.lin, err = newUser(d.home.base, "lin"); err != nil {
			return err
		}
		made["artist"], made["listener"] = d.ada.actor, d.lin.actor
		if err := d.ada.signUp(ctx, "Ada", d.artists.invite); err != nil {
			return err
		}
		return d.lin.signUp(ctx, "Lin", d.home.invite)
	})
}

func (d *demo) startInstances(ctx context.Context, made map[string]any) error {
	var err error
	if d.proxy, err = newInstance(d.dir, "proxy"); err != nil {
		return err
	}
	asset := "ANTIPHON_RAIDEN_ASSET=" + d.network.Asset
	engine := "ANTIPHON_MEDIA_ENGINE=" + d.engine
	d.artists, err = newInstance(d.dir, "artists", asset, engine, "ANTIPHON_RAIDEN_URL="+d.network.Nodes["artist"],
		"ANTIPHON_GRANTS_PROXIES="+d.proxy.base+"/actor")
	if err != nil {
		return err
	}
	if d.home, err = newInstance(d.dir, "home", asset, engine, "ANTIPHON_RAIDEN_URL="+d.network.Nodes["listener"]); err != nil {
		return err
	}
	for _, i := range []*instance{d.artists, d.home, d.proxy} {
		if err := i.open(ctx); err != nil {
			return err
		}
		if err := i.firstInvite(ctx); err != nil {
			return err
		}
		made[i.name] = i.base
	}
	return nil
}

// post has the listener follow the artist, and the artist post a track.
func (d *demo) post(ctx context.Context) error {
	err := d.step(ctx, "the listener follows the artist", func(ctx context.Context, _ map[string]any) error {
		if _, err := d.lin.postForm(ctx, "/follow", url.Values{"address": {"@ada@" + host(d.artists.base)}}); err != nil {
			return err
		}
		return every(ctx, 50*time.Millisecond, func() (bool, error) {
			var followers struct {
				TotalItems int `json:"totalItems"`
			}
			err := getActivity(ctx, d.ada.actor+"/followers", &followers)
			return followers.TotalItems > 0, err
		})
	})
	if err != nil {
		return err
	}
	err = d.step(ctx, "the artist uploads a file", func(ctx context.Context, made map[string]any) error {
		info, err := os.Stat(d.audio)
		if err != nil {
			return err
		}
		made["bytes"] = info.Size()
		d.draft, err = d.ada.upload(ctx, d.audio)
		return err
	})
	if err != nil {
		return err
	}
	err = d.step(ctx, "probed, transcoded, sealed, stored", func(ctx context.Context, _ map[string]any) error {
		return d.ada.ready(ctx, d.draft)
	})
	if err != nil {
		return err
	}
	err = d.step(ctx, "the artist sets a price and publishes", func(ctx context.Context, made map[string]any) error {
		id := filepath.Base(d.draft)
		d.track = d.artists.base + "/tracks/" + id
		made["track"] = d.track
		_, err := d.ada.postForm(ctx, d.draft, url.Values{
			"title": {"Antiphon"}, "price": {"5.00"}, "asset": {d.network.Asset}, "action": {"publish"},
		})
		return err
	})
	if err != nil {
		return err
	}
	return d.step(ctx, "the announcement reaches the listener", func(ctx context.Context, _ map[string]any) error {
		return every(ctx, 50*time.Millisecond, func() (bool, error) {
			page, err := d.lin.get(ctx, "/")
			return strings.Contains(string(page), d.track) || strings.Contains(string(page), url.QueryEscape(d.track)), err
		})
	})
}

// purchaseState is what GET /purchases/{id}/state answers.
type purchaseState struct{ State, Words, Next string }

// until waits for a state of the purchase.
func (d *demo) until(ctx context.Context, states ...string) error {
	return every(ctx, 25*time.Millisecond, func() (bool, error) {
		var p purchaseState
		if err := d.lin.getJSON(ctx, d.order+"/state", &p); err != nil {
			return false, err
		}
		for _, state := range states {
			if p.State == state {
				return true, nil
			}
		}
		if p.State == "refused" {
			return false, errors.New(p.Words)
		}
		return false, nil
	})
}

// buy has the listener offer, pay, and get the grant.
func (d *demo) buy(ctx context.Context) error {
	err := d.step(ctx, "the listener offers to buy; the invoice comes", func(ctx context.Context, made map[string]any) error {
		resp, err := d.lin.postForm(ctx, "/buy", url.Values{"track": {d.track}})
		if err != nil {
			return err
		}
		d.order = strings.TrimSuffix(resp.Request.URL.Path, "/")
		made["order"] = d.order
		return d.until(ctx, "invoiced", "granted")
	})
	if err != nil {
		return err
	}
	err = d.step(ctx, "the listener's node pays through the hub", func(ctx context.Context, _ map[string]any) error {
		_, err := d.lin.postForm(ctx, d.order+"/pay", nil)
		return err
	})
	if err != nil {
		return err
	}
	return d.step(ctx, "the payment is seen; receipt and grant arrive", func(ctx context.Context, made map[string]any) error {
		if err := d.until(ctx, "granted"); err != nil {
			return err
		}
		g, err := d.lin.grant(ctx, d.track)
		if err != nil {
			return err
		}
		var grant struct{ ID, Receipt string }
		made["manifest"] = filepath.Base(g.Master)
		err = json.Unmarshal(g.Grant, &grant)
		made["grant"] = grant.ID
		return err
	})
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

func host(base string) string {
	_, h, _ := strings.Cut(base, "://")
	return h
}
