package inbox

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// answer is a status and what is said with it; the visitor is a machine, so the words are few.
type answer struct {
	status int
	words  string
	header map[string]string
}

func (a answer) Error() string { return a.words }

// ServeHTTP takes an activity, for the shared inbox and for a personal one. It answers 202 when the activity is stored,
// was stored before, or has no effect here; 401 when its sender cannot be told, 403 when the sender may not say this,
// 404, 413, 415, 429 and 400 as the words go.
func (i *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Until the body is here: also when we answer without it, the server waits for the rest. One that cannot set a deadline,
	// as in some tests, has none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(i.config.BodyTime))
	err := i.accept(w, r)
	var a answer
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
		return
	case errors.As(err, &a):
		i.log.Debug("activity refused", "status", a.status, "reason", a.words, "remote", r.RemoteAddr)
	default:
		i.log.Error("activity not taken", "error", err)
		a = answer{status: http.StatusInternalServerError, words: "the activity could not be stored"}
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	http.Error(w, a.words, a.status)
}

// accept is the way in. The order of the checks is fixed.
func (i *Inbox) accept(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return answer{http.StatusMethodNotAllowed, "an inbox takes POST", map[string]string{"Allow": "POST"}}
	}
	if !vocab.IsActivityType(r.Header.Get("Content-Type")) {
		return answer{status: http.StatusUnsupportedMediaType, words: "send application/activity+json"}
	}
	if name, ok := personal(r.URL.Path); ok {
		if err := i.actors.HasInbox(r.Context(), name); errors.Is(err, actor.ErrNotFound) {
			return answer{status: http.StatusNotFound, words: "no such inbox"}
		} else if err != nil {
			return err
		}
	}
	if err := i.admit(r); err != nil {
		return err
	}
	raw, land, err := i.body(w, r)
	handed := false
	defer func() {
		if !handed {
			land()
		}
	}()
	if err != nil {
		return err
	}
	if known, err := i.acquainted(r, raw); err != nil || !known {
		return err
	}
	key, err := i.verifier.Verify(r.Context(), r, raw)
	i.watch(r, err)
	if errors.Is(err, actor.ErrGone) {
		return i.farewell(r, raw)
	}
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return answer{status: http.StatusRequestTimeout, words: "the request was ended"}
		}
		return answer{status: http.StatusUnauthorized, words: "the signature was not accepted: " + err.Error()}
	}
	a, err := vocab.ParseActivity(raw)
	if err != nil && !errors.Is(err, vocab.ErrUnknownType) {
		return answer{status: http.StatusBadRequest, words: err.Error()}
	}
	if err := i.authorize(a, key.Owner); err != nil {
		return err
	}
	if verdict, err := i.hosts.JudgeActor(r.Context(), key.Owner); err != nil {
		return err
	} else if verdict.Blocked {
		return answer{status: http.StatusForbidden, words: "this server does not take activities from " + key.Owner}
	}
	host := actor.HostOf(key.Owner)
	if err := errors.Join(i.hosts.Reached(r.Context(), host), i.hosts.Heard(r.Context(), host, httpsig.DialectOf(r))); err != nil {
		return err
	}
	if err := i.compare(r.Context(), r.Header, a.Actor); err != nil {
		return err
	}
	if errors.Is(err, vocab.ErrUnknownType) || i.listened(a) || i.idle(a) {
		return nil
	}
	handed, err = i.store(a, raw, land)
	return err
}

// body reads what was sent; land is called when it is no longer needed.
func (i *Inbox) body(w http.ResponseWriter, r *http.Request) (raw []byte, land func(), err error) {
	raw, land, err = i.flight.read(http.MaxBytesReader(w, r.Body, jsonld.MaxBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as below
	case errors.As(err, &tooLarge):
		err = answer{status: http.StatusRequestEntityTooLarge, words: "the activity is larger than 1 MiB"}
	case errors.Is(err, errFull):
		err = answer{http.StatusServiceUnavailable, "this server is busy", map[string]string{"Retry-After": "30"}}
	default:
		err = answer{status: http.StatusBadRequest, words: "the body could not be read"}
	}
	return raw, land, err
}

// admit looks at the host that the key's name points to, before any work is done for it.
func (i *Inbox) admit(r *http.Request) error {
	keyID, err := httpsig.KeyID(r)
	if err != nil {
		return answer{status: http.StatusUnauthorized, words: "the signature was not accepted: " + err.Error()}
	}
	host := actor.HostOf(keyID)
	if host == "" {
		return answer{status: http.StatusUnauthorized, words: "the key id is not a URI with a host"}
	}
	owner, _, _ := strings.Cut(keyID, "#")
	verdict, err := i.hosts.JudgeActor(r.Context(), owner)
	if err != nil {
		return err
	}
	if verdict.Blocked {
		return answer{status: http.StatusForbidden, words: "this server does not take activities from " + host}
	}
	if wait, ok := i.limits.allow(host, i.now()); !ok {
		return tooMany("too many activities from "+host, wait)
	}
	// No account takes more than half of what its site may send.
	if wait, ok := i.accounts.take(owner, i.now()); !ok {
		return tooMany("too many activities from "+owner, wait)
	}
	return nil
}

// acquainted reports whether an activity is to be looked at further. Who is not known here can be asked for, but not as many
// as a site likes; and the farewell of somebody whom nobody here has met is none of our business, signed or not.
func (i *Inbox) acquainted(r *http.Request, raw []byte) (bool, error) {
	keyID, err := httpsig.KeyID(r)
	if err != nil {
		return false, answer{status: http.StatusUnauthorized, words: "the signature was not accepted: " + err.Error()}
	}
	known, err := i.actors.KnowsKey(r.Context(), keyID)
	if err != nil || known {
		return known, err
	}
	if a, err := vocab.ParseActivity(raw); err == nil && isFarewell(a) {
		if _, err := i.actors.Known(r.Context(), a.Actor); errors.Is(err, actor.ErrNotFound) {
			return false, nil
		}
	}
	host := actor.HostOf(keyID)
	if wait, ok := i.asked.allow(host, i.now()); !ok {
		return false, tooMany("too many actors to ask for at "+host, wait)
	}
	return true, nil
}

func isFarewell(a vocab.Activity) bool { return a.Type == vocab.VerbDelete && a.Object.ID == a.Actor }

func tooMany(words string, wait time.Duration) answer {
	seconds := strconv.Itoa(int(math.Ceil(max(wait.Seconds(), 1))))
	return answer{http.StatusTooManyRequests, words, map[string]string{"Retry-After": seconds}}
}

// authorize checks that the signer speaks for the activity's actor, and that the id is the actor's to give.
func (i *Inbox) authorize(a vocab.Activity, owner string) error {
	switch {
	case a.Actor != owner:
		return answer{status: http.StatusUnauthorized, words: "the actor is not the owner of the key"}
	case i.actors.Own(a.Actor):
		return answer{status: http.StatusForbidden, words: "actors of this server do not speak from outside"}
	case a.ID != "" && !vocab.SameOrigin(a.ID, a.Actor):
		return answer{status: http.StatusForbidden, words: "the activity's id is not on the actor's host"}
	}
	return nil
}

// farewell takes the Delete of an actor whose server says that it is gone, and with it its key: that answer, which we
// asked for ourselves, stands for the signature. A stranger's farewell changes nothing.
func (i *Inbox) farewell(r *http.Request, raw []byte) error {
	a, err := vocab.ParseActivity(raw)
	if err != nil || !isFarewell(a) {
		return answer{status: http.StatusUnauthorized, words: "the signature was not accepted: the actor is gone"}
	}
	if _, err := i.actors.Known(r.Context(), a.Actor); errors.Is(err, actor.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := i.actors.Find(r.Context(), a.Actor, true); !errors.Is(err, actor.ErrGone) {
		return answer{status: http.StatusUnauthorized, words: "the signature was not accepted: the actor is not gone"}
	}
	if err := i.authorize(a, a.Actor); err != nil {
		return err
	}
	_, err = i.store(a, raw, nil)
	return err
}

// personal is the name in the path of a personal inbox.
func personal(path string) (name string, ok bool) {
	name, ok = strings.CutPrefix(path, "/users/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, "/inbox")
}
