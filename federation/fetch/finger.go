package fetch

import (
	"context"
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"antiphon/vocab"
)

const jrdAccept = vocab.JRDType + ", application/json"

var (
	userPattern = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?$`)
	portPattern = regexp.MustCompile(`^:[0-9]{1,5}$`)
)

// handle is user@host, the host in lower case and ASCII.
type handle struct{ user, host string }

func (h handle) acct() string { return "acct:" + h.user + "@" + h.host }

// equal ignores case, as servers do.
func (h handle) equal(other handle) bool {
	return h.host == other.host && strings.EqualFold(h.user, other.user)
}

// Finger returns the URI of the actor behind a handle: "ada@music.example", with or without "@" or "acct:" before it.
// Handle and actor must name each other: the handle's host names the actor, and the actor's host names the same handle
// for the actor's preferredUsername. Five requests at most. The errors are as of Get, and ErrHandle.
func (f *Fetcher) Finger(ctx context.Context, text string) (actor string, err error) {
	h, err := parseHandle(text)
	if err != nil {
		return "", err
	}
	actor, err = f.finger(ctx, h)
	if err != nil {
		return "", fmt.Errorf("look up %s@%s: %w", h.user, h.host, err)
	}
	return actor, nil
}

func (f *Fetcher) finger(ctx context.Context, h handle) (string, error) {
	subject, actor, err := f.ask(ctx, h)
	if err != nil {
		return "", err
	}
	if !subject.equal(h) {
		// The host says that the account has another handle; that handle's host must agree.
		again, sameActor, err := f.ask(ctx, subject)
		if err != nil {
			return "", err
		}
		if !again.equal(subject) || sameActor != actor {
			return "", fmt.Errorf("%s is not confirmed by its own host: %w", subject.acct(), ErrHandle)
		}
	}
	doc, err := f.Get(ctx, actor)
	if err != nil {
		return "", err
	}
	if doc.URI != actor {
		return "", fmt.Errorf("%.200s calls itself %.200s: %w", actor, doc.URI, ErrHandle)
	}
	name, _ := doc.Map["preferredUsername"].(string)
	u, err := url.Parse(actor)
	if err != nil || !userPattern.MatchString(name) {
		return "", fmt.Errorf("%.200s is called %.100q: %w", actor, name, ErrHandle)
	}
	own := handle{user: name, host: canonicalHost(u)}
	if own.equal(subject) {
		return actor, nil
	}
	back, sameActor, err := f.ask(ctx, own)
	if err != nil {
		return "", err
	}
	if !back.equal(subject) || sameActor != actor {
		return "", fmt.Errorf("%.200s does not point back: %w", actor, ErrHandle)
	}
	return actor, nil
}

// ask makes one WebFinger request.
func (f *Fetcher) ask(ctx context.Context, h handle) (subject handle, actor string, err error) {
	u := &url.URL{Scheme: f.cfg.Scheme, Host: h.host, Path: "/.well-known/webfinger", RawQuery: url.Values{"resource": {h.acct()}}.Encode()}
	resp, err := f.do(ctx, u, jrdAccept)
	if err != nil {
		return handle{}, "", err
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || mediaType != vocab.JRDType && mediaType != "application/json" {
		return handle{}, "", fmt.Errorf("content type %.100q is not a JRD: %w", resp.Header.Get("Content-Type"), ErrHandle)
	}
	j, err := vocab.ReadJRD(resp.Body)
	if err != nil {
		return handle{}, "", err
	}
	if actor, err = j.Self(); err != nil {
		return handle{}, "", err
	}
	if !strings.HasPrefix(j.Subject, "acct:") {
		return handle{}, "", fmt.Errorf("subject is %.100q: %w", j.Subject, ErrHandle)
	}
	if subject, err = parseHandle(j.Subject); err != nil {
		return handle{}, "", err
	}
	return subject, actor, nil
}

func parseHandle(text string) (handle, error) {
	rest, isAcct := strings.CutPrefix(text, "acct:")
	if !isAcct {
		rest = strings.TrimPrefix(rest, "@")
	}
	user, host, ok := strings.Cut(rest, "@")
	if !ok || len(text) > 400 || !utf8.ValidString(text) || !userPattern.MatchString(user) {
		return handle{}, fmt.Errorf("handle %.100q: %w", text, ErrURI)
	}
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		name, port = host[:i], host[i:]
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if port == ":443" {
		port = ""
	}
	// An empty label, an empty name among them, is no host: and two dots at the end would be read as one the next time.
	if err != nil || strings.Contains("."+ascii+".", "..") || port != "" && !portPattern.MatchString(port) {
		return handle{}, fmt.Errorf("handle %.100q: %w", text, ErrURI)
	}
	return handle{user: user, host: strings.ToLower(ascii) + port}, nil
}
