package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"antiphon/api/auth"
	"antiphon/federation/account"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/federation/reporting"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/payments/amount"
	"antiphon/payments/treasury"
	"antiphon/templates"
)

// Asset is something that a track can be sold for.
type Asset struct {
	ID       amount.Asset
	Symbol   string
	Decimals int
	// Provider is the word of the way that it is paid through: raiden, erc20 or manual.
	Provider string
}

// Config of the pages.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// Site is the instance's name, About one plain sentence by its admin, Rules what is asked of members.
	Site, About string
	Rules       []string
	// Assets are what tracks can be sold for, the usual one first; with none, everything is free.
	Assets []Asset
	// PriceWords tells a price in plain text, as announcements do; nil says nothing of it.
	PriceWords func(units, asset string, decimals int) string
	// DataDir is where the disk is watched; UploadDir keeps uploads until they are ingested.
	DataDir, UploadDir string
	// MaxUpload is the largest file taken; uploads stop when less than DiskLow is free. Both in bytes.
	MaxUpload, DiskLow int64
	// Threshold of Proxies instances open a grant; TrustedProxies are the actors of those that the admin trusts.
	Threshold, Proxies int
	TrustedProxies     []string
	// CanStand says that the instance has a payment node, which standing orders can be given to.
	CanStand bool
	// PoolHosts are the other servers of the listening pool.
	PoolHosts []string
	// AllowList says that the instance exchanges only with hosts that an admin allowed.
	AllowList bool
	// Version is the program's.
	Version string
}

// Parts are what the pages are joined with. Those that are nil switch off what needs them.
type Parts struct {
	DB        *db.DB
	Auth      *auth.Service
	Renderer  *templates.Renderer
	Tracks    *media.Service
	Store     ipfs.Store
	Shop      Shop
	Library   Library
	Grants    Grants
	Listens   Listens
	Purchases Purchases
	Sales     Sales
	Codes     Codes
	// Owed is what the ledger says that somebody is owed.
	Owed func(ctx context.Context, payee string, asset amount.Asset) (amount.Amount, error)
	// Tiers and Subscriptions come together; Sellers tells what other servers sell.
	Tiers         Tiers
	Subscriptions Subscriptions
	Sellers       Sellers
	// Pool is nil where there is no listening pool; Lends then reports whether a listener can play a track as a member.
	Pool     Pool
	Lends    func(ctx context.Context, listener, track string) (bool, error)
	Follower Follower
	Social   Social
	Finder   Finder
	Profiles Profiles
	Remote   Remote
	Hosts    Hosts
	Treasury *treasury.Service
	Keyring  Keyring
	HTTP     *httpx.Client
	// Moderation and Members are what admins and members decide about others and about themselves.
	Moderation *moderation.Service
	Members    *account.Service
	// Reporting is the pool's reports and disputes.
	Reporting *reporting.Service
	Log       *slog.Logger
	Now       func() time.Time
}

// Pages are the handlers. They may be used from many goroutines.
type Pages struct {
	Config
	Parts
	host    string
	uploads *uploads
	askers  *askers
}

// New makes the pages.
func New(c Config, p Parts) (*Pages, error) {
	_, host, _ := strings.Cut(c.BaseURL, "://")
	pages := &Pages{Config: c, Parts: p, host: host, askers: newAskers()}
	uploads, err := pages.newUploads()
	if err != nil {
		return nil, err
	}
	pages.uploads = uploads
	return pages, nil
}

// Layout is what every page shows around its own content, for whoever makes the request.
func (p *Pages) Layout(r *http.Request) templates.Layout {
	l := templates.Layout{
		Site: p.Site, BaseURL: p.BaseURL, Path: r.URL.Path, SignupOpen: p.Auth.Open(), Notices: noticeOf(r.URL.Query().Get("done")),
		Reporting: p.Reporting != nil,
	}
	l.Pool = p.Pool != nil
	for _, a := range p.Assets {
		l.DevTokens = l.DevTokens || a.ID.Development()
	}
	v, ok := auth.FromContext(r.Context())
	if !ok {
		return l
	}
	a := v.Account
	l.User = &templates.User{
		Name: a.Name, Display: a.Name, Handle: p.handle(a.Name, p.host), Actor: a.Actor, URL: "/@" + a.Name,
		Admin: a.Role == auth.Admin, Custody: templates.Custody(a.Custody),
	}
	if a.Role == auth.Guest {
		l.User.Display, l.User.Handle, l.User.URL, l.User.Guest = "@"+a.Name, "", "/library", true
		return l
	}
	if who, err := p.actor(r.Context(), a.Actor); err == nil {
		l.User.Display, l.User.Avatar = who.Display, p.picture(who)
	}
	if n, err := outbox.CountUnseen(r.Context(), p.DB.Read, a.Actor); err == nil {
		l.User.Unseen = n
	}
	if unseen, err := moderation.Tidings(r.Context(), p.DB.Read, a.Actor, true, 99); err == nil {
		l.User.Tidings = len(unseen)
	}
	return l
}

// Render answers with a page. It is drawn whole before the status is sent.
func (p *Pages) Render(w http.ResponseWriter, status int, view templates.View) error {
	var page bytes.Buffer
	if err := p.Renderer.Render(&page, view); err != nil {
		return fmt.Errorf("render %T: %w", view, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A visitor who has gone away is no error of ours.
	_, _ = page.WriteTo(w)
	return nil
}

// visitor is who makes the request, or [ErrLogin].
func visitor(r *http.Request) (auth.Visitor, error) {
	v, ok := auth.FromContext(r.Context())
	if !ok {
		return auth.Visitor{}, ErrLogin
	}
	return v, nil
}

// asAdmin is the admin who makes the request, or [ErrLogin] or [ErrForbidden].
func asAdmin(r *http.Request) (auth.Visitor, error) {
	v, err := visitor(r)
	if err == nil && v.Account.Role != auth.Admin {
		return v, ErrForbidden
	}
	return v, err
}

// asArtist is the artist who makes the request, or [ErrLogin] or a [*Fault].
func asArtist(r *http.Request) (auth.Visitor, error) {
	v, err := visitor(r)
	if err == nil && (v.Account.Role == auth.Listener || v.Account.Role == auth.Guest) {
		return v, &Fault{Status: http.StatusForbidden, What: "This account is a listener's", Do: "Posting is for artists' accounts."}
	}
	return v, err
}

// me is the actor URI of who makes the request, or "".
func me(ctx context.Context) string {
	v, _ := auth.FromContext(ctx)
	return v.Account.Actor
}

// seeOther sends the browser to a path of this site by GET.
func seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}
