package outbox

import (
	"fmt"
	"net/http"

	"antiphon/federation/actor"
)

// subscribes is the condition on rows of subscriptions that stand; a listener of several tiers is one subscriber.
const subscribes = "artist = ? AND state IN ('active', 'ending', 'grace') AND NOT EXISTS (SELECT 1 FROM subscriptions s" +
	" WHERE s.artist = subscriptions.artist AND s.listener = subscriptions.listener AND s.state IN ('active', 'ending', 'grace') AND s.uri < subscriptions.uri)"

// Of subscribers, everyone may know those who want to be seen.
var (
	allSubscribers   = counted("subscriptions", "listener", "created_at", subscribes)
	shownSubscribers = counted("subscriptions", "listener", "created_at", subscribes+" AND shown")
)

// subscribers are told to the artist and to this instance; everyone else is told those who want to be seen, and where
// nobody does, nothing: who pays whom is nobody else's business.
func (d *documents) subscribers(r *http.Request, who actor.Actor) ([]byte, error) {
	if who.Kind != actor.Artist {
		return nil, fmt.Errorf("%w: subscribers of %s", ErrNotFound, who.URI)
	}
	list := shownSubscribers
	key, err := d.verifier.Verify(r.Context(), r, nil)
	if err == nil && (key.Owner == who.URI || key.Owner == d.config.BaseURL+"/actor") {
		list = allSubscribers
	} else if n, err := list.count(r.Context(), d.db.Read, who.URI); err != nil {
		return nil, err
	} else if n == 0 {
		return nil, fmt.Errorf("%w: subscribers of %s", ErrNotFound, who.URI)
	}
	return d.collection(r.Context(), Subscribers(who.URI), who.URI, list, r.URL.Query())
}

// Subscribers is the collection of an artist's subscribers.
func Subscribers(artist string) string { return artist + "/subscribers" }
