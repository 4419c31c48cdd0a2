package main

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/text/unicode/norm"

	"antiphon/federation/httpsig"
	"antiphon/media/pre/keytree"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// user does over HTTP what the web pages do for a person: it holds the listener seed, which no server sees.
type user struct {
	base, name, passphrase string
	actor                  string
	seed                   []byte
	http                   *http.Client
}

// newUser draws a seed for a person who is about to sign up at base.
func newUser(base, name string) (*user, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	u := &user{
		base: base, name: name, passphrase: strings.ToLower(rand.Text()), actor: base + "/users/" + name, seed: make([]byte, 32),
		http: &http.Client{Jar: jar, Timeout: 2 * time.Minute},
	}
	_, err = rand.Read(u.seed)
	return u, err
}

// signUp makes the account; invite may be empty where sign-up is open.
func (u *user) signUp(ctx context.Context, display, invite string) error {
	auth, wrap, err := u.stretch()
	if err != nil {
		return err
	}
	receiving, requesting, err := u.publicKeys()
	if err != nil {
		return err
	}
	recovery := make([]byte, 32)
	if _, err := rand.Read(recovery); err != nil {
		return err
	}
	wrapped, err := u.wrap(wrap)
	if err != nil {
		return err
	}
	kept, err := u.wrap(recovery)
	if err != nil {
		return err
	}
	return u.postJSON(ctx, "/signup", map[string]any{
		"name": u.name, "display": display, "custody": "own", "auth": b64(auth), "wrapped": b64(wrapped), "recovery": b64(kept),
		"receivingKey": receiving, "requestingKey": requesting, "invite": invite,
	}, nil)
}

// logIn opens a session; the seed is not asked back, it is here.
func (u *user) logIn(ctx context.Context) error {
	auth, _, err := u.stretch()
	if err != nil {
		return err
	}
	return u.postJSON(ctx, "/login", map[string]string{"name": u.name, "auth": b64(auth)}, nil)
}

// stretch turns the passphrase into what is sent at log-in and what wraps the seed.
func (u *user) stretch() (auth, wrap []byte, err error) {
	salt := sha256.Sum256([]byte("antiphon/login/v1" + u.actor))
	stretched, err := pbkdf2.Key(sha256.New, norm.NFKC.String(u.passphrase), salt[:], 600_000, 32)
	if err != nil {
		return nil, nil, err
	}
	if auth, err = hkdf.Key(sha256.New, stretched, nil, "antiphon/auth/v1", 32); err != nil {
		return nil, nil, err
	}
	wrap, err = hkdf.Key(sha256.New, stretched, nil, "antiphon/wrap/v1", 32)
	return auth, wrap, err
}

func (u *user) wrap(key []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, u.seed, []byte(u.actor+"\n1")), nil
}

func (u *user) publicKeys() (receiving, requesting string, err error) {
	secret, sign, err := u.keys()
	if err != nil {
		return "", "", err
	}
	if receiving, err = multikey.EncodeSecp256k1(secret.PublicKey().Bytes()); err != nil {
		return "", "", err
	}
	requesting, err = multikey.EncodeEd25519(sign.Public().(ed25519.PublicKey))
	return receiving, requesting, err
}

func (u *user) keys() (*umbral.SecretKey, ed25519.PrivateKey, error) {
	tree, err := keytree.Listener(u.seed)
	if err != nil {
		return nil, nil, err
	}
	receiving, err := tree.Receiving(1)
	if err != nil {
		return nil, nil, err
	}
	requesting, err := tree.Requesting(1)
	return receiving, requesting, err
}

// chunk is how much of an upload goes in one request.
const chunk = 4 << 20

// upload sends a file by tus 1.0 and returns the draft's path.
func (u *user) upload(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	name := base64.StdEncoding.EncodeToString([]byte(filepath.Base(path)))
	resp, err := u.do(ctx, http.MethodPost, "/uploads/", nil, http.Header{
		"Tus-Resumable": {"1.0.0"}, "Upload-Length": {strconv.FormatInt(info.Size(), 10)}, "Upload-Metadata": {"filename " + name},
	})
	if err != nil {
		return "", err
	}
	location, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil {
		return "", fmt.Errorf("upload location: %w", err)
	}
	for offset := int64(0); ; {
		part := io.NewSectionReader(f, offset, min(chunk, info.Size()-offset))
		resp, err := u.do(ctx, http.MethodPatch, location.Path, part, http.Header{
			"Tus-Resumable": {"1.0.0"}, "Upload-Offset": {strconv.FormatInt(offset, 10)}, "Content-Type": {"application/offset+octet-stream"},
		})
		if err != nil {
			return "", err
		}
		if draft := resp.Header.Get("Antiphon-Draft"); draft != "" {
			return draft, nil
		}
		if offset, err = strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64); err != nil || offset >= info.Size() {
			return "", errors.New("the upload ended without a draft")
		}
	}
}

// progress is what GET /drafts/{id}/progress answers.
type progress struct {
	State string `json:"state"`
	Steps []struct {
		Name, State, Message string
		Done                 float64
	} `json:"steps"`
}

// ready waits until the pipeline is done with a draft.
func (u *user) ready(ctx context.Context, draft string) error {
	return every(ctx, 100*time.Millisecond, func() (bool, error) {
		var p progress
		if err := u.getJSON(ctx, draft+"/progress", &p); err != nil {
			return false, err
		}
		if p.State == "failed" {
			for _, step := range p.Steps {
				if step.Message != "" {
					return false, fmt.Errorf("%s: %s", step.Name, step.Message)
				}
			}
			return false, errors.New("the pipeline failed")
		}
		return p.State == "ready", nil
	})
}

// granted is what GET /play/grant answers.
type granted struct {
	Grant  json.RawMessage   `json:"grant"`
	Keys   map[string]string `json:"keys"`
	Master string            `json:"master"`
	// Listen is the ticket to report with.
	Listen string `json:"listen"`
	Track  struct {
		Downloads []struct{ Format, URL string }
	} `json:"track"`
}

func (u *user) grant(ctx context.Context, track string) (granted, error) {
	var g granted
	return g, u.getJSON(ctx, "/play/grant?track="+url.QueryEscape(track), &g)
}

// ask signs a re-encryption request and sends it through the user's instance; it is an access.Ask.
func (u *user) ask(ctx context.Context, proxy vocab.Proxy, body []byte) ([]byte, error) {
	signed, err := u.signAsk(proxy, body)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]string)
	for name := range signed {
		headers[name] = signed.Get(name)
	}
	var answer json.RawMessage
	err = u.postJSON(ctx, "/play/relay", map[string]any{"url": proxy.Reencrypt, "headers": headers, "body": string(body)}, &answer)
	return answer, err
}

// signAsk returns the headers that a proxy wants to see on a request for re-encryption.
func (u *user) signAsk(proxy vocab.Proxy, body []byte) (http.Header, error) {
	_, key, err := u.keys()
	if err != nil {
		return nil, err
	}
	_, keyID, err := u.publicKeys()
	if err != nil {
		return nil, err
	}
	params := httpsig.MessageParams{Created: time.Now()}
	if _, err := rand.Read(params.Nonce[:]); err != nil {
		return nil, err
	}
	return httpsig.SignMessage(httpsig.Message{
		Method: http.MethodPost, TargetURI: proxy.Reencrypt, ContentType: "application/json", Body: body,
	}, key, keyID, params)
}
