package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/api/web"
	"antiphon/payments/ledger/witness"
	"antiphon/templates"
)

// Parts are what the routes lead to. A handler that is nil is not mounted.
type Parts struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// TrustProxy takes the visitor's address from the last X-Forwarded-For, as the proxy in front sets it.
	TrustProxy bool
	Auth       *auth.Service
	Pages      *web.Pages
	Log        *slog.Logger
	Now        func() time.Time

	// Inbox takes POST /inbox and /users/{name}/inbox.
	Inbox http.Handler
	// Objects answers GET for every ActivityPub document: actors and their collections, tracks, notes, and what is sold.
	Objects http.Handler
	// WebFinger, NodeInfo (also its well-known list) and HostMeta are for discovery.
	WebFinger, NodeInfo, HostMeta http.Handler
	// Grant is GET /play/grant and Relay POST /play/relay; both find the visitor with [auth.FromContext].
	Grant, Relay http.Handler
	// Blocks is GET /ipfs/{cid}.
	Blocks http.Handler
	// Books answer everything below /ledger and /witness; see Books.Handler.
	Books http.Handler
	// Listens is POST /play/listen: what a player reports when it has no other request to report with. The ticket in it says
	// whose play it is.
	Listens http.Handler
	// Reencrypt is POST /antiphon/v1/reencrypt, Revocations GET /antiphon/v1/revocations.
	Reencrypt, Revocations http.Handler
	// PoolRecords is GET /antiphon/v1/pool/{month}.
	PoolRecords http.Handler
	// Statements is GET /antiphon/v1/statements, Evidence GET /antiphon/v1/evidence, Waits GET /antiphon/v1/waits.
	Statements, Evidence, Waits http.Handler
}

// The bounds of a request: its body in bytes, and the time that it may take.
const (
	smallBody  = 64 << 10
	formBody   = 12 << 20 // a form with a picture
	inboxBody  = 1 << 20
	pageTime   = 30 * time.Second
	uploadTime = 24 * time.Hour // each read has its own limit
	// disputeTime is for a month that is computed again.
	disputeTime = 10 * time.Minute
	// downloadTime is for everything that a member made in one file.
	downloadTime = 6 * time.Hour
)

type server struct {
	trustProxy, secure bool
	auth               *auth.Service
	pages              *web.Pages
	log                *slog.Logger
	now                func() time.Time
	crossOrigin        *http.CrossOriginProtection
}

// New is the instance's handler.
func New(p Parts) (http.Handler, error) {
	s := &server{
		trustProxy: p.TrustProxy, secure: strings.HasPrefix(p.BaseURL, "https://"), auth: p.Auth, pages: p.Pages, log: p.Log, now: p.Now,
		crossOrigin: http.NewCrossOriginProtection(),
	}
	// The proxy in front may pass another Host.
	if err := s.crossOrigin.AddTrustedOrigin(p.BaseURL); err != nil {
		return nil, fmt.Errorf("own origin: %w", err)
	}
	router := mux.NewRouter()
	for _, one := range append(s.people(p), s.machines(p)...) {
		if one.handler == nil {
			continue
		}
		route := router.NewRoute().Handler(named(one.handler))
		if strings.HasSuffix(one.path, "/*") {
			route.PathPrefix(strings.TrimSuffix(one.path, "*"))
		} else {
			route.Path(one.path)
		}
		switch one.method {
		case "":
		case http.MethodGet:
			route.Methods(http.MethodGet, http.MethodHead)
		default:
			route.Methods(one.method)
		}
	}
	router.NotFoundHandler = s.page404(web.ErrNotFound)
	router.MethodNotAllowedHandler = s.page404(&web.Fault{
		Status: http.StatusMethodNotAllowed, What: "This address does not take such a request", Do: "Go back and try again.",
	})
	return s.outermost(router), nil
}

// route is one line of the lists below. An empty method is any; a path that ends in /* is everything below.
type route struct {
	method, path string
	handler      http.Handler
}

// people are the routes of the pages: each knows its visitor, and takes nothing that another site had the browser send.
func (s *server) people(p Parts) []route {
	w := p.Pages
	form := func(h handler) http.Handler { return s.person(formBody, pageTime, h) }
	page := func(h handler) http.Handler { return s.person(smallBody, pageTime, h) }
	// What guests may do, who have no account here; everywhere else they are strangers.
	guest := func(h handler) http.Handler { return bounded(smallBody, pageTime, s.withSession(true, s.serve(h))) }
	return []route{
		{"GET", "/", guest(w.Home)},
		{"GET", "/about", guest(w.Landing)},

		{"GET", "/signup", guest(w.SignupPage)},
		{"POST", "/signup", guest(w.SignUp)},
		{"GET", "/login", page(w.LoginPage)},
		{"POST", "/login", page(w.LogIn)},
		{"POST", "/logout", guest(w.LogOut)},
		{"GET", "/recover/{token}", page(w.RecoverPage)},
		{"POST", "/recover/{token}", page(w.Recover)},

		{"GET", "/guest", guest(w.GuestPage)},
		{"POST", "/guest", guest(w.AskGuest)},
		{"GET", "/guest/keys", guest(w.GuestKeysPage)},
		{"POST", "/guest/keys", guest(w.SetGuestKeys)},
		{"GET", "/guest/{token:[A-Za-z0-9_-]{22}}", guest(w.GuestLinkPage)},
		{"POST", "/guest/{token:[A-Za-z0-9_-]{22}}", guest(w.EnterGuest)},
		{"POST", "/guest/{token:[A-Za-z0-9_-]{22}}/refuse", guest(w.RefuseGuest)},

		{"GET", "/admin/months", page(w.Months)},
		{"POST", "/admin/months/{month}/decide", page(w.DecideMonth)},
		{"POST", "/admin/months/{month}/sent", page(w.NoteSent)},
		{"GET", "/admin/months/{month}/payouts.{form:csv|json}", page(w.ExportPayouts)},
		{"GET", "/admin/rules", page(w.PoolRules)},
		{"POST", "/admin/rules", page(w.SetPoolRules)},
		{"GET", "/admin/disputes", page(w.DisputeList)},
		{"POST", "/admin/disputes", page(w.OpenDispute)},
		{"POST", "/admin/disputes/{id:[0-9a-f]{64}}/vote", s.person(smallBody, disputeTime, w.VoteDispute)},
		{"POST", "/admin/disputes/{id:[0-9a-f]{64}}/appeal", page(w.AppealDispute)},
		{"GET", "/statements", page(w.ArtistStatements)},
		{"GET", "/statements.csv", page(w.StatementsCSV)},
		{"GET", "/statements/{month}/{host}", page(w.StatementProof)},
		{"POST", "/statements/address", page(w.SetPayout)},
		{"POST", "/statements/appeal", page(w.AppealArtist)},
		{"GET", "/pool/month/{month}", page(w.ShareOfMonth)},
		{"POST", "/pool/month/{month}/appeal", page(w.AppealMarks)},

		{"GET", "/history", page(w.History)},
		{"POST", "/history/forget", page(w.ForgetPlays)},
		{"POST", "/history/settings", page(w.SetListening)},
		{"GET", "/history/export.{form:csv|json}", s.person(0, downloadTime, w.ExportHistory)},

		{"GET", "/settings", page(w.Settings)},
		{"POST", "/settings/profile", form(w.SetProfile)},
		{"POST", "/settings/passphrase", page(w.SetPassphrase)},
		{"POST", "/settings/custody", page(w.SetCustody)},
		{"GET", "/settings/keys", page(w.Keys)},
		{"GET", "/settings/keys/open", page(w.KeysToSign)},
		{"POST", "/settings/keys", page(w.Rotate)},
		{"POST", "/settings/keys/anew", form(w.AskAnew)},
		{"POST", "/settings/keys/again", page(w.AskAgain)},
		{"POST", "/settings/keys/letgo", page(w.LetGo)},
		{"POST", "/settings/keys/library", form(w.BringLibrary)},
		{"POST", "/settings/proxies", page(w.AddProxy)},
		{"POST", "/settings/proxies/remove", page(w.RemoveProxy)},
		{"POST", "/settings/sessions/end", page(w.EndSessions)},
		{"POST", "/settings/sessions/{id}/end", page(w.EndSession)},

		{"GET", "/admin", page(w.Admin)},
		{"GET", "/admin/hosts", page(w.AdminHosts)},
		{"POST", "/admin/hosts/retry", page(w.RetryHost)},
		{"POST", "/admin/hosts/pause", page(w.PauseHost)},
		{"POST", "/admin/hosts/resume", page(w.ResumeHost)},
		{"GET", "/admin/raiden", page(w.AdminRaiden)},
		{"GET", "/admin/raiden/confirm", page(w.ConfirmRaiden)},
		{"POST", "/admin/raiden/acts", page(w.ActRaiden)},
		{"POST", "/admin/raiden/acts/{id}/look", page(w.LookRaiden)},
		{"POST", "/admin/raiden/acts/{id}/drop", page(w.DropRaiden)},
		{"POST", "/admin/recover", page(w.MakeRecoveryLink)},
		{"POST", "/admin/invites", page(w.MakeInvite)},
		{"POST", "/admin/invites/{id}/end", page(w.EndInvite)},

		{"GET", "/admin/reports", page(w.Reports)},
		{"GET", "/admin/reports/{id}", page(w.Report)},
		{"POST", "/admin/reports/{id}/notes", page(w.NoteReport)},
		{"POST", "/admin/reports/{id}/close", page(w.CloseReport)},
		{"GET", "/admin/policies", page(w.Policies)},
		{"POST", "/admin/policies", page(w.SetPolicy)},
		{"GET", "/admin/policies/export.csv", page(w.ExportPolicies)},
		{"POST", "/admin/policies/import", form(w.UploadPolicies)},
		{"GET", "/admin/policies/import/{id}", page(w.PolicyImport)},
		{"POST", "/admin/policies/import/{id}", page(w.ImportPolicies)},
		{"GET", "/admin/audit", page(w.Audit)},
		{"GET", "/admin/signups", page(w.Signups)},
		{"POST", "/admin/signups/{name}/let-in", page(w.LetIn)},
		{"GET", "/admin/decide/{act}", page(w.Decide)},
		{"POST", "/admin/decide/{act}", page(w.DoDecide)},

		{"GET", "/report", page(w.ComplaintPage)},
		{"POST", "/report", page(w.Complain)},
		{"GET", "/tidings", page(w.Tidings)},
		{"GET", "/settings/blocks", page(w.Avoided)},
		{"POST", "/settings/blocks", page(w.Avoid)},
		{"POST", "/settings/blocks/end", page(w.Meet)},
		{"GET", "/settings/account", page(w.Whole)},
		{"POST", "/settings/account/aliases", page(w.SetAliases)},
		{"POST", "/settings/account/move", page(w.MoveAway)},
		{"POST", "/settings/account/stay", page(w.Stay)},
		{"POST", "/settings/account/archive", page(w.MakeArchive)},
		{"GET", "/settings/account/archive/{id}", s.person(0, downloadTime, w.Archive)},
		{"POST", "/settings/account/follows", form(w.BringFollows)},
		{"POST", "/settings/account/delete", page(w.DeleteAccount)},

		{"GET", "/upload", page(w.UploadPage)},
		{"", "/uploads/*", s.person(w.MaxUpload, uploadTime, w.Uploads)},
		{"GET", "/drafts/{id}", page(w.Draft)},
		{"GET", "/drafts/{id}/progress", page(w.Progress)},
		{"POST", "/drafts/{id}", form(w.SaveDraft)},
		{"POST", "/drafts/{id}/delete", page(w.Discard)},
		{"POST", "/tracks/{id}/unpublish", page(w.Unpublish)},
		{"GET", "/tracks/{id}/buyers", page(w.Buyers)},
		{"GET", "/studio", page(w.Studio)},
		{"POST", "/studio/revoke", page(w.Revoke)},
		{"GET", "/studio/listens", page(w.StudioListens)},
		{"POST", "/studio/pool", page(w.SetPool)},
		{"GET", "/studio/tiers", page(w.StudioTiers)},
		{"POST", "/studio/tiers", page(w.SaveTier)},
		{"GET", "/studio/tiers/new", page(w.TierPage)},
		{"GET", "/studio/tiers/{id}", page(w.TierPage)},
		{"POST", "/studio/tiers/{id}", page(w.SaveTier)},
		{"GET", "/pool", page(w.PoolPage)},
		{"GET", "/pool/state", page(w.PoolState)},
		{"POST", "/pool/join", page(w.JoinPool)},
		{"POST", "/pool/pay", page(w.PayPool)},
		{"POST", "/pool/cancel", page(w.CancelPool)},
		{"POST", "/pool/back", page(w.GiveBackDues)},
		{"POST", "/pool/reverse", page(w.ReverseDues)},
		{"GET", "/orders", page(w.Orders)},
		{"POST", "/orders/confirm", page(w.ConfirmBuyer)},
		{"POST", "/orders/instructions", page(w.SetInstructions)},
		{"POST", "/orders/{id}/paid", page(w.MarkPaid)},
		{"POST", "/orders/{id}/fail", page(w.GiveUpOrder)},
		{"POST", "/orders/{id}/refund", page(w.RefundOrder)},
		{"GET", "/pay/{id}", page(w.PayPage)},

		{"GET", "/follow", page(w.FollowPage)},
		{"POST", "/follow", page(w.Follow)},
		{"POST", "/unfollow", page(w.Unfollow)},
		{"GET", "/artist", page(w.RemoteArtist)},
		{"GET", "/music", page(w.RemoteTrack)},
		{"GET", "/elsewhere", page(w.Elsewhere)},
		{"GET", "/elsewhere/{id}", page(w.Elsewhere)},
		{"GET", "/authorize_interaction", page(w.Authorize)},
		{"POST", "/comments", page(w.Comment)},
		{"POST", "/comments/delete", page(w.Uncomment)},
		{"POST", "/react", page(w.React)},
		{"POST", "/tracks/{id}/pin", page(w.Pin)},
		{"GET", "/notices", page(w.Notices)},
		{"GET", "/remote/{kind}", page(w.RemoteFile)},
		{"GET", "/releases/new", page(w.ReleaseForm)},
		{"POST", "/releases/new", form(w.SaveRelease)},
		{"GET", "/releases/{id}", page(w.ReleaseForm)},
		{"POST", "/releases/{id}", form(w.SaveRelease)},
		{"GET", "/releases/{id}/buyers", page(w.ReleaseBuyers)},
		{"POST", "/releases/{id}/withdraw", page(w.WithdrawRelease)},
		{"GET", "/release", page(w.RemoteRelease)},
		{"GET", "/codes", page(w.CodesPage)},
		{"POST", "/codes", page(w.MakeCodes)},
		{"POST", "/codes/revoke", page(w.RevokeCode)},
		{"POST", "/codes/{id}/revoke", page(w.RevokeCodes)},
		{"GET", "/redeem", guest(w.RedeemPage)},
		{"POST", "/redeem", guest(w.Redeem)},
		{"GET", "/buy", guest(w.Buy)},
		{"POST", "/buy", guest(w.BeginPurchase)},
		{"GET", "/purchases/{id}", guest(w.Purchase)},
		{"GET", "/purchases/{id}/state", guest(w.PurchaseState)},
		{"GET", "/purchases/{id}/receipt", guest(w.Receipt)},
		{"GET", "/purchases/{id}/proof", guest(w.Proof)},
		{"POST", "/purchases/{id}/pay", page(w.Pay)},
		{"GET", "/tiers", page(w.RemoteTiers)},
		{"GET", "/subscribe", guest(w.Subscribe)},
		{"POST", "/subscribe", guest(w.BeginSubscription)},
		{"GET", "/subscriptions", guest(w.SubscriptionsPage)},
		{"POST", "/subscriptions/{id}/cancel", guest(w.CancelSubscription)},
		{"POST", "/subscriptions/{id}/resume", guest(w.ResumeSubscription)},
		{"POST", "/subscriptions/{id}/standing", page(w.SetStanding)},
		{"POST", "/subscriptions/{id}/standing/end", page(w.EndStanding)},
		{"GET", "/library", guest(w.LibraryPage)},
		{"GET", "/play/grant", s.visited(smallBody, p.Grant)},
		{"POST", "/play/relay", s.visited(smallBody, p.Relay)},

		{"GET", "/@{name:[a-z0-9_]+}", s.either(pageFirst, toActor, guest(w.Artist))},
		{"GET", "/@{name:[a-z0-9_]+}/{slug}", s.either(pageFirst, w.TrackDocument, guest(w.Track))},
		{"GET", "/users/{name:[a-z0-9_]+}", s.either(documentFirst, document(p.Objects), page(w.ToArtist))},
		{"GET", "/tracks/{id}", s.either(documentFirst, document(p.Objects), page(w.ToTrack))},
		{"GET", "/notes/{id}", s.either(documentFirst, document(p.Objects), page(w.ToNote))},
		{"GET", "/albums/{id}", s.either(documentFirst, document(p.Objects), guest(w.Album))},
	}
}

// machines are the routes for other servers, and files that are the same for everyone.
func (s *server) machines(p Parts) []route {
	open := func(limit int64, h http.Handler) http.Handler {
		if h == nil {
			return nil
		}
		return bounded(limit, pageTime, h)
	}
	return []route{
		{"GET", templates.StaticPath + "*", open(0, templates.Static())},
		{"GET", "/media/{cid}", s.plain(p.Pages.File)},
		{"GET", "/ipfs/{cid}", open(0, p.Blocks)},
		{"POST", "/play/listen", open(smallBody, p.Listens)},
		{"GET", "/healthz", s.plain(p.Pages.Health)},
		{"GET", "/embed/{id}", s.plain(p.Pages.Embed)},
		{"GET", "/oembed", s.plain(p.Pages.OEmbed)},

		{"POST", "/inbox", open(inboxBody, p.Inbox)},
		{"POST", "/users/{name:[a-z0-9_]+}/inbox", open(inboxBody, p.Inbox)},
		{"GET", "/actor", open(0, p.Objects)},
		{"GET", "/users/{name:[a-z0-9_]+}/*", open(0, p.Objects)},
		{"GET", "/notes/{id}/{collection}", open(0, p.Objects)},
		{"GET", "/products/{id}", open(0, p.Objects)},
		{"GET", "/products/{id}/proposal", open(0, p.Objects)},
		{"GET", "/agreements/{id}", open(0, p.Objects)},
		{"GET", "/offers/{id}", open(0, p.Objects)},
		{"GET", "/receipts/{id}", open(0, p.Objects)},
		{"GET", "/grants/{id}", open(0, p.Objects)},
		{"GET", "/kfrags/{id}", open(0, p.Objects)},
		{"GET", "/activities/{id}", open(0, p.Objects)},

		{"GET", "/.well-known/webfinger", open(0, p.WebFinger)},
		{"GET", "/.well-known/host-meta", open(0, p.HostMeta)},
		{"GET", "/.well-known/nodeinfo", open(0, p.NodeInfo)},
		{"GET", "/nodeinfo/{version}", open(0, p.NodeInfo)},

		{"GET", "/ledger/*", open(0, p.Books)},
		{"", "/witness/*", open(witness.MaxBody, p.Books)},

		{"", "/antiphon/v1/reencrypt", open(smallBody, p.Reencrypt)},
		{"GET", "/antiphon/v1/revocations", open(0, p.Revocations)},
		{"GET", "/antiphon/v1/pool/{month}", open(0, p.PoolRecords)},
		{"GET", "/antiphon/v1/statements", open(0, p.Statements)},
		{"GET", "/antiphon/v1/evidence", open(0, p.Evidence)},
		{"GET", "/antiphon/v1/waits", open(0, p.Waits)},
	}
}

// handler answers, or returns an error for respond.
type handler = func(w http.ResponseWriter, r *http.Request) error

// serve answers what h returns.
func (s *server) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.respond(w, r, err)
		}
	})
}

func (s *server) person(limit int64, timeout time.Duration, h handler) http.Handler {
	return bounded(limit, timeout, s.withSession(false, s.serve(h)))
}

func (s *server) visited(limit int64, h http.Handler) http.Handler {
	if h == nil {
		return nil
	}
	return bounded(limit, pageTime, s.withSession(true, h))
}

func (s *server) plain(h handler) http.Handler { return bounded(0, pageTime, s.serve(h)) }

func (s *server) page404(err error) http.Handler {
	return s.person(0, pageTime, func(http.ResponseWriter, *http.Request) error { return err })
}
