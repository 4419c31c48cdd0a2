package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"gorm.io/gorm"

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
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, jsonld.MaxBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return answer{status: http.StatusRequestEntityTooLarge, words: "the activity is larger than 1 MiB"}
	}
	if err != nil {
		return answer{status: http.StatusBadRequest, words: "the body could not be read"}
	}
	if err := i.admit(r); err != nil {
		return err
	}
	key, err := i.verifier.Verify(r.Context(), r, raw)
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
	if err := i.hosts.Reached(r.Context(), actor.HostOf(key.Owner)); err != nil {
		return err
	}
	if errors.Is(err, vocab.ErrUnknownType) || !i.knows(a.Type) {
		return nil
	}
	return i.db.Tx(r.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.keep(ctx, tx, a, raw) })
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
	blocked, err := i.hosts.IsBlocked(r.Context(), host)
	if err != nil {
		return err
	}
	if blocked {
		return answer{status: http.StatusForbidden, words: "this server does not take activities from " + host}
	}
	if wait, ok := i.limits.allow(host, i.now()); !ok {
		seconds := strconv.Itoa(int(math.Ceil(max(wait.Seconds(), 1))))
		return answer{http.StatusTooManyRequests, "too many activities from " + host, map[string]string{"Retry-After": seconds}}
	}
	return nil
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
	if err != nil || a.Type != vocab.VerbDelete || a.Object.ID != a.Actor {
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
	return i.db.Tx(r.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.keep(ctx, tx, a, raw) })
}

// personal is the name in the path of a personal inbox.
func personal(path string) (name string, ok bool) {
	name, ok = strings.CutPrefix(path, "/users/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, "/inbox")
}

// work finds the handler of a stored activity, lets it act, and records what came of it.
func (i *Inbox) work(ctx context.Context, job arrived, attempt int) error {
	var row record
	err := i.db.Read.WithContext(ctx).Where("actor = ? AND id = ?", job.Actor, job.ID).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && row.State != received {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read activity %s: %w", job.ID, err)
	}
	state, outcome := done, ""
	err = i.act(ctx, row)
	var refusal *Refusal
	switch {
	case err == nil:
	case errors.Is(err, errNoEffect):
		state = ignored
	case errors.As(err, &refusal):
		state, outcome = refused, refusal.Words
	case attempt < attempts:
		return fmt.Errorf("activity %s of %s: %w", row.ID, row.Actor, err)
	default:
		state, outcome = failed, err.Error()
		i.log.Warn("activity given up", "activity", row.ID, "actor", row.Actor, "type", row.Type, "error", err)
	}
	return i.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		err := tx.Model(&record{}).Where("actor = ? AND id = ?", row.Actor, row.ID).
			Updates(map[string]any{"state": state, "outcome": outcome}).Error
		if err != nil {
			return fmt.Errorf("record outcome of %s: %w", row.ID, err)
		}
		return nil
	})
}

// errNoEffect says that an activity is not about anything here.
var errNoEffect = errors.New("no effect here")

func (i *Inbox) act(ctx context.Context, row record) error {
	a, err := vocab.ParseActivity(row.Raw)
	if err != nil {
		return Refuse("%v", err)
	}
	sender, err := i.actors.Find(ctx, row.Actor, false)
	if errors.Is(err, actor.ErrGone) {
		sender, err = i.actors.Known(ctx, row.Actor)
	}
	if errors.Is(err, actor.ErrNotFound) && a.Type == vocab.VerbDelete {
		return errNoEffect
	}
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	kinds, err := i.kinds(ctx, a)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if handle, ok := i.handlers[verbKind{a.Type, kind}]; ok {
			return handle(ctx, Incoming{Actor: sender, Activity: a, Raw: row.Raw})
		}
	}
	return errNoEffect
}
