package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/trade"
	"antiphon/payments/purchase"
	"antiphon/templates"
)

// Keyring is what is done with listeners' keys; *trade.Service is one.
type Keyring interface {
	// Rotate publishes the next pair of keys, as a statement says that the pair of now has signed.
	Rotate(ctx context.Context, me string, link []byte) error
	// AskAnew asks sellers for grants anew with signed agreements, BringLibrary with those of an account that moved here.
	AskAnew(ctx context.Context, me string, agreements []json.RawMessage) (int, error)
	BringLibrary(ctx context.Context, me string, file []byte) (int, error)
	// Confirm is an artist's word that a buyer's new key is the buyer's.
	Confirm(ctx context.Context, artist, buyer, key string) error
	// Target returns the keys of the account that a local one has moved to, as its server tells them now.
	Target(ctx context.Context, me string) (actor.Actor, error)
}

// silentAfter is how long a seller is given to answer before it is called silent.
const silentAfter = 2 * time.Minute

// Keys is GET /settings/keys: a new key, and how far sellers have granted anew what was bought for the old one.
func (p *Pages) Keys(w http.ResponseWriter, r *http.Request) error {
	return p.keys(w, r, http.StatusOK, "")
}

func (p *Pages) keys(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx, me := r.Context(), v.Account.Actor
	who, err := p.actor(ctx, me)
	if err != nil {
		return err
	}
	outdated, err := p.Purchases.Outdated(ctx, me, who.ReceivingKey)
	if err != nil {
		return err
	}
	asked, err := p.Purchases.AskedAnew(ctx, me, who.ReceivingKey)
	if err != nil {
		return err
	}
	view := &templates.Keys{
		Layout: p.Layout(r), ReceivingKey: who.ReceivingKey, RequestingKey: who.RequestingKey, Waiting: len(outdated), Total: len(outdated) + len(asked), Error: wrong,
	}
	view.Path, view.NoIndex = "/settings/keys", true
	for _, b := range asked {
		row := templates.Anew{ID: b.ID, Title: b.Title, Seller: hostOf(b.Artist), State: "asked", Words: b.Words, Since: b.UpdatedAt}
		switch {
		case b.State == purchase.Granted:
			row.State = "granted"
			view.Granted++
		case b.State == purchase.Refused && b.Words == purchase.LetGoWords:
			row.State = "letgo"
		case b.State == purchase.Refused:
			row.State = "refused"
		case p.Now().Sub(b.UpdatedAt) > silentAfter:
			row.State = "silent"
		}
		view.Rows = append(view.Rows, row)
	}
	if p.Members != nil {
		if self, err := p.Members.Actors.Local(ctx, me); err == nil && self.MovedTo != "" {
			view.MovedTo = p.nameOf(ctx, self.MovedTo)
		}
	}
	return p.Render(w, status, view)
}

// toSign is what a browser needs to know to sign for what was bought.
type toSign struct {
	Actor      string `json:"actor"`
	Number     int    `json:"number"`
	Receiving  string `json:"receiving"`
	Requesting string `json:"requesting"`
	// To is set when the library is to be taken along: whose keys it is to be granted to.
	To    *signFor   `json:"to,omitempty"`
	Items []signItem `json:"items"`
}

type signFor struct {
	Actor      string `json:"actor"`
	Receiving  string `json:"receiving"`
	Requesting string `json:"requesting"`
}

type signItem struct {
	Receipt       string `json:"receipt"`
	Product       string `json:"product"`
	Artist        string `json:"artist"`
	Track         string `json:"track"`
	Title         string `json:"title"`
	RequestingKey string `json:"requestingKey"`
}

// KeysToSign is GET /settings/keys/open: what is bought and granted for earlier keys, or with ?along everything, for the
// account that this one has moved to.
func (p *Pages) KeysToSign(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx, me := r.Context(), v.Account.Actor
	who, err := p.actor(ctx, me)
	if err != nil {
		return err
	}
	out := toSign{Actor: me, Number: int(who.KeyNumber), Receiving: who.ReceivingKey, Requesting: who.RequestingKey, Items: []signItem{}}
	except := who.ReceivingKey
	if r.URL.Query().Has("along") {
		if p.Keyring == nil {
			return ErrNotFound
		}
		to, err := p.Keyring.Target(ctx, me)
		if err != nil {
			return keysRefused(err)
		}
		out.To, except = &signFor{to.URI, to.ReceivingKey, to.RequestingKey}, ""
	}
	bought, err := p.Purchases.Outdated(ctx, me, except)
	if err != nil {
		return err
	}
	rows, err := p.Library.Library(ctx, me, 0, maxLibrary)
	if err != nil {
		return fmt.Errorf("read library: %w", err)
	}
	stands := map[string]bool{}
	for _, row := range rows {
		stands[row.Grant] = true
	}
	for _, b := range bought {
		if stands[b.GrantURI] { // what was taken back is not asked for
			out.Items = append(out.Items, signItem{b.Receipt, b.Product, b.Artist, b.Track, b.Title, b.RequestingKey})
		}
	}
	return writeJSON(w, out)
}

// keysRefused tells the visitor what was wrong.
func keysRefused(err error) error {
	if refused := (*trade.Refusal)(nil); errors.As(err, &refused) {
		return &Fault{Status: http.StatusUnprocessableEntity, What: refused.Words, Do: "Nothing was changed."}
	}
	return err
}

// Rotate is POST /settings/keys JSON {link}: the browser has made a new key.
func (p *Pages) Rotate(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	var in struct {
		Link json.RawMessage `json:"link"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if p.Keyring == nil {
		return ErrNotFound
	}
	if err := p.Keyring.Rotate(r.Context(), v.Account.Actor, in.Link); err != nil {
		return keysRefused(err)
	}
	return writeJSON(w, next{"/settings/keys?done=rotated"})
}

// AskAnew is POST /settings/keys/anew JSON {agreements}: the browser has signed for what was bought.
func (p *Pages) AskAnew(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	var in struct {
		Agreements []json.RawMessage `json:"agreements"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if p.Keyring == nil {
		return ErrNotFound
	}
	if _, err := p.Keyring.AskAnew(r.Context(), v.Account.Actor, in.Agreements); err != nil {
		return keysRefused(err)
	}
	return writeJSON(w, next{"/settings/keys"})
}

// AskAgain is POST /settings/keys/again: a seller who is silent, or has refused, is asked once more.
func (p *Pages) AskAgain(w http.ResponseWriter, r *http.Request) error {
	return p.changeAnew(w, r, "askedagain", p.Purchases.AskAgain)
}

// LetGo is POST /settings/keys/letgo: a seller is not asked any more; the old grant goes on with the old key.
func (p *Pages) LetGo(w http.ResponseWriter, r *http.Request) error {
	return p.changeAnew(w, r, "letgo", p.Purchases.LetGo)
}

func (p *Pages) changeAnew(w http.ResponseWriter, r *http.Request, done string, change func(ctx context.Context, me, id string) error) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := change(r.Context(), v.Account.Actor, r.PostFormValue("id")); errors.Is(err, purchase.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	} else if err != nil {
		return err
	}
	return seeOther(w, r, "/settings/keys?done="+done)
}

// BringLibrary is POST /settings/keys/library: the file of a library that was taken along from another account.
func (p *Pages) BringLibrary(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	file, err := formFile(r, "file")
	if err != nil {
		return err
	}
	if p.Keyring == nil {
		return ErrNotFound
	}
	_, err = p.Keyring.BringLibrary(r.Context(), v.Account.Actor, file)
	if refused := (*trade.Refusal)(nil); errors.As(err, &refused) {
		return p.keys(w, r, http.StatusUnprocessableEntity, refused.Words)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/settings/keys?done=brought")
}

// ConfirmBuyer is POST /orders/confirm: the artist's word that a buyer's new key is the buyer's.
func (p *Pages) ConfirmBuyer(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if p.Keyring == nil {
		return ErrNotFound
	}
	err = p.Keyring.Confirm(r.Context(), v.Account.Actor, r.PostFormValue("buyer"), r.PostFormValue("key"))
	if errors.Is(err, trade.ErrNoHold) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/orders?done=confirmed")
}
