package auth

import (
	"context"
	"net/http"
)

// cookieName has the prefix that makes browsers refuse the cookie without Secure, with a Domain or with another path.
// Browsers know it over https only, so development over http uses the plain name.
func (s *Service) cookieName() string {
	if s.secure() {
		return "__Host-session"
	}
	return "session"
}

// SetCookie gives the session's token to the browser.
func (s *Service) SetCookie(w http.ResponseWriter, token string) {
	http.SetCookie(w, s.cookie(token, int(s.config.SessionLife.Seconds())))
}

// ClearCookie takes it back.
func (s *Service) ClearCookie(w http.ResponseWriter) { http.SetCookie(w, s.cookie("", -1)) }

// Token is the token that the browser sent, or "".
func (s *Service) Token(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *Service) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	}
}

type visitorKey struct{}

// WithVisitor puts who makes the request into its context.
func WithVisitor(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, v)
}

// FromContext is who makes the request; false for a stranger.
func FromContext(ctx context.Context) (Visitor, bool) {
	v, ok := ctx.Value(visitorKey{}).(Visitor)
	return v, ok
}
