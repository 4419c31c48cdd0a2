package api

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// page or document, for an address that has both: which is given to a program that does not say what it wants.
const (
	pageFirst     = false
	documentFirst = true
)

// either answers a server that asks for ActivityPub with the document, and a person with the page.
func (s *server) either(first bool, doc handler, page http.Handler) http.Handler {
	if doc == nil {
		return page
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		if wantsDocument(r.Header.Get("Accept"), first) {
			s.plain(doc).ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// wantsDocument reads an Accept header in its order: nobody who asks for both weighs them.
func wantsDocument(accept string, otherwise bool) bool {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/activity+json", "application/ld+json", "application/json":
			return true
		case "text/html", "application/xhtml+xml":
			return false
		}
	}
	return otherwise
}

// document answers with an ActivityPub document.
func document(objects http.Handler) handler {
	if objects == nil {
		return nil
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		objects.ServeHTTP(w, r)
		return nil
	}
}

// toActor leads a server from an artist's page to the actor.
func toActor(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/users/"+mux.Vars(r)["name"], http.StatusFound)
	return nil
}
