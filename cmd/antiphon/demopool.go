package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"antiphon/media/hls"
	"antiphon/media/listen"
	"antiphon/media/seal"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// secondSeconds is how long the second track is: of one that is shorter than a minute, half is a play, and of one that is
// shorter than half a minute nothing.
const secondSeconds = 32

// lend posts another track, and puts it into the listening pool that the two instances share.
func (d *demo) lend(ctx context.Context, made map[string]any) error {
	d.secondAudio = filepath.Join(d.dir, "Response.wav")
	if err := pieceAt(d.secondAudio, secondSeconds, 330); err != nil {
		return err
	}
	draft, err := d.ada.upload(ctx, d.secondAudio)
	if err != nil {
		return err
	}
	if err := d.ada.ready(ctx, draft); err != nil {
		return err
	}
	id := filepath.Base(draft)
	d.second = d.artists.base + "/tracks/" + id
	made["track"] = d.second
	if _, err := d.ada.postForm(ctx, draft, url.Values{
		"title": {"Response"}, "price": {"3.00"}, "asset": {d.network.Asset}, "action": {"publish"},
	}); err != nil {
		return err
	}
	_, err = d.ada.postForm(ctx, "/studio/pool", url.Values{"track": {id}, "pool": {"in"}})
	return err
}

// join makes the listener a member: the dues go to the own instance, from a node that is nobody's but the listener's.
func (d *demo) join(ctx context.Context, made map[string]any) error {
	if _, err := d.lin.postForm(ctx, "/pool/join", nil); err != nil {
		return err
	}
	paid, err := d.payByWallet(ctx, d.lin, "/pool")
	if err != nil {
		return err
	}
	made["paid"], made["month"] = paid.Decimal(6), time.Now().UTC().Format("2006-01")
	return d.lin.until(ctx, "/pool", "yours")
}

var invoiceValue = regexp.MustCompile(`(?s)<dd><code>([^<]+)</code>`)

// payByWallet pays what an invoice on a user's page asks for, with a node that belongs to neither instance: as a person
// does, value for value.
func (d *demo) payByWallet(ctx context.Context, u *user, page string) (amount.Units, error) {
	text, err := u.get(ctx, page)
	if err != nil {
		return amount.Units{}, err
	}
	values := invoiceValue.FindAllSubmatch(text, -1)
	if len(values) != 4 {
		return amount.Units{}, fmt.Errorf("%s shows no invoice", page)
	}
	read := func(n int) string { return html.UnescapeString(string(values[n][1])) }
	target, targetErr := eip55.Parse(read(0))
	units, unitsErr := amount.ParseUnits(read(1))
	token, tokenErr := eip55.Parse(read(2))
	identifier, identifierErr := strconv.ParseUint(read(3), 10, 64)
	if err := errors.Join(targetErr, unitsErr, tokenErr, identifierErr); err != nil {
		return units, err
	}
	wallet, err := raiden.New(raiden.Config{URL: d.network.Nodes["wallet"]})
	if err != nil {
		return units, err
	}
	defer wallet.CloseIdle()
	_, err = wallet.Pay(ctx, raiden.PayRequest{Token: token, Target: target, Amount: units, Identifier: identifier})
	return units, err
}

// borrow plays a track of the other instance for the first time this month: the membership is shown there, and a grant for
// the month comes back.
func (d *demo) borrow(ctx context.Context, made map[string]any) error {
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var refused error
	err := every(soon, 200*time.Millisecond, func() (bool, error) {
		var err error
		d.lent, err = d.lin.grant(soon, d.second)
		// The payment may not stand on the ledger yet, nor the word that the track is in the pool have come here.
		if isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusNotFound) {
			refused = err
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return errors.Join(err, refused)
	}
	grant, key, err := d.lin.open(ctx, d.lent, d.second)
	if err != nil {
		return err
	}
	if grant.EndTime == nil {
		return errors.New("what the pool lends does not end")
	}
	d.lentKey = key
	made["threshold"], made["until"] = threshold(grant), grant.EndTime.Format(time.DateOnly)
	return nil
}

// hear plays the track as a player does, in its own time: each sealed piece is fetched with a report of what was heard, and
// opened. The last words go alone.
func (d *demo) hear(ctx context.Context, made map[string]any) error {
	playlist, clear, err := d.cheapest(ctx)
	if err != nil {
		return err
	}
	var name [16]byte
	if _, err := rand.Read(name[:]); err != nil {
		return err
	}
	session, begun := base64.RawURLEncoding.EncodeToString(name[:]), time.Now()
	report := func() string {
		heard := time.Since(begun)
		ranges := ""
		if tenths := heard.Milliseconds() / 100; tenths > 0 {
			ranges = fmt.Sprintf("0-%d", tenths)
		}
		return fmt.Sprintf("%s %s %d %s", session, d.lent.Listen, int(heard.Seconds()), ranges)
	}
	ends := begun
	for i, s := range playlist.Segments {
		resp, err := d.lin.do(ctx, http.MethodGet, "/ipfs/"+s.CID, nil, http.Header{listen.Header: {report()}})
		if err != nil {
			return err
		}
		var sealed bytes.Buffer
		if _, err := sealed.ReadFrom(resp.Body); err != nil {
			return err
		}
		piece, err := seal.Decrypt(nil, seal.Key(d.lentKey, playlist.Rendition), s.IV, sealed.Bytes())
		if err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
		clear = append(clear, piece...)
		if ends = ends.Add(s.Duration); ends.Sub(begun) > secondSeconds*time.Second/2 {
			break
		}
		if err := waitUntil(ctx, ends); err != nil {
			return err
		}
	}
	if err := waitUntil(ctx, begun.Add(secondSeconds*time.Second/2+time.Second/2)); err != nil {
		return err
	}
	if _, err := d.lin.do(ctx, http.MethodPost, "/play/listen", strings.NewReader(report()), http.Header{"Content-Type": {"text/plain"}}); err != nil {
		return err
	}
	if err := d.soundsLike(ctx, clear, made); err != nil {
		return err
	}
	return d.recorded(ctx, made)
}

func waitUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cheapest is the playlist of the second track's first rendition, and its clear beginning.
func (d *demo) cheapest(ctx context.Context) (hls.Media, []byte, error) {
	manifest, err := d.block(ctx, strings.TrimPrefix(d.lent.Master, "/ipfs/"))
	if err != nil {
		return hls.Media{}, nil, err
	}
	variants, err := hls.ParseMaster(bytes.NewReader(manifest))
	if err != nil {
		return hls.Media{}, nil, err
	}
	text, err := d.block(ctx, variants.Variants[0].CID)
	if err != nil {
		return hls.Media{}, nil, err
	}
	playlist, err := hls.ParseMedia(bytes.NewReader(text))
	if err != nil {
		return playlist, nil, err
	}
	begin, err := d.block(ctx, playlist.Init)
	return playlist, begin, err
}

// soundsLike holds what was opened of the second track against the same part of the file that it was made of.
func (d *demo) soundsLike(ctx context.Context, clear []byte, made map[string]any) error {
	engine, err := d.openEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	path := filepath.Join(d.dir, "heard.mp4")
	if err := os.WriteFile(path, clear, 0o600); err != nil {
		return err
	}
	defer os.Remove(path)
	played, err := decode(ctx, engine, path)
	if err != nil {
		return err
	}
	posted, err := decode(ctx, engine, d.secondAudio)
	if err != nil {
		return err
	}
	likeness := correlate(posted[:min(len(posted), len(played))], played)
	made["likeness"] = fmt.Sprintf("%.4f", likeness)
	if likeness < 0.9 {
		return fmt.Errorf("what was heard is unlike the file: correlation %.3f", likeness)
	}
	return nil
}

// recorded reads the listener's own history.
func (d *demo) recorded(ctx context.Context, made map[string]any) error {
	var plays []struct {
		Track   string
		Seconds int
		Counted bool
	}
	if err := d.lin.getJSON(ctx, "/history/export.json", &plays); err != nil {
		return err
	}
	for _, p := range plays {
		if p.Track == d.second && p.Counted {
			made["recorded"] = fmt.Sprintf("%d s", p.Seconds)
			return nil
		}
	}
	return fmt.Errorf("the play is not recorded: %+v", plays)
}

// share looks at the member's page of the month so far: all goes to the one artist who was heard.
func (d *demo) share(ctx context.Context, made map[string]any) error {
	page, err := d.lin.get(ctx, "/pool/month/"+time.Now().UTC().Format("2006-01"))
	if err != nil {
		return err
	}
	for _, words := range []string{"Ada", "$9.00", "$1.00"} {
		if !bytes.Contains(page, []byte(words)) {
			return fmt.Errorf("the page does not say %q", words)
		}
	}
	made["ada"], made["instance"] = "$9.00", "$1.00"
	return nil
}
