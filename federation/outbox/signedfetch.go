package outbox

import (
	"net/http"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
)

// Signed lets only those read that sign for it, and whose host is not blocked. The instance actor is for everyone: others
// need it to check our own signatures, before they can sign to us.
func (o *Outbox) Signed(documents http.Handler) http.Handler {
	verifier := &httpsig.Verifier{Origin: o.config.BaseURL, Keys: o.actors.Keys(), Now: o.now}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/actor" {
			documents.ServeHTTP(w, r)
			return
		}
		key, err := verifier.Verify(r.Context(), r, nil)
		if err != nil {
			o.log.Debug("unsigned fetch refused", "path", r.URL.Path, "error", err)
			http.Error(w, "this server answers signed requests only", http.StatusUnauthorized)
			return
		}
		blocked, err := o.hosts.IsBlocked(r.Context(), actor.HostOf(key.Owner))
		if err != nil {
			o.log.Error("document not served", "path", r.URL.Path, "error", err)
			http.Error(w, "this server has a problem; try again later", http.StatusInternalServerError)
			return
		}
		if blocked {
			http.Error(w, "this server does not answer "+actor.HostOf(key.Owner), http.StatusForbidden)
			return
		}
		documents.ServeHTTP(uncached{w}, r)
	})
}

// uncached keeps proxies between from giving to everybody what one was given.
type uncached struct{ http.ResponseWriter }

// WriteHeader sends the header with who may keep the answer.
func (w uncached) WriteHeader(status int) {
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Del("Access-Control-Allow-Origin")
	w.ResponseWriter.WriteHeader(status)
}
