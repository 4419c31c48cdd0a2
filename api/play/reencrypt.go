package play

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"

	"antiphon/federation/httpsig"
	"antiphon/media/access"
	"antiphon/vocab/multikey"
)

// statuses are the HTTP status of each code of the protocol.
var statuses = map[string]int{
	"too-large": http.StatusRequestEntityTooLarge, "busy": http.StatusTooManyRequests, "malformed": http.StatusBadRequest,
	"unknown-grant": http.StatusNotFound, "bad-signature": http.StatusUnauthorized, "revoked": http.StatusGone,
	"expired": http.StatusForbidden, "not-granted": http.StatusUnprocessableEntity, "bad-capsule": http.StatusUnprocessableEntity,
}

// Reencrypt is the proxy's service. It may be called by pages of any origin: no cookie counts here, only the signature.
func (s *Service) Reencrypt(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Content-Digest, Signature, Signature-Input")
		w.Header().Set("Access-Control-Allow-Methods", "POST")
		w.Header().Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, access.MaxReencryptBody))
	if err != nil {
		problem(w, http.StatusRequestEntityTooLarge, "too-large", "The body is larger than 16 KiB.")
		return
	}
	request, capsules, err := access.ParseReencrypt(body)
	if err == nil {
		var result access.ReencryptAnswer
		result, err = s.Access.Reencrypt(r.Context(), request, capsules, func(key string) (string, error) {
			return s.verify(r, body, key)
		})
		if err == nil {
			answer(w, result)
			return
		}
	}
	var refused *access.Refusal
	if !errors.As(err, &refused) {
		s.Log.Error("re-encryption failed", "grant", request.Grant, "error", err)
		problem(w, http.StatusInternalServerError, "internal", "The request failed here; another proxy may answer.")
		return
	}
	status, ok := statuses[refused.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "5")
	}
	problem(w, status, refused.Code, refused.Words)
}

func (s *Service) verify(r *http.Request, body []byte, keyID string) (string, error) {
	key, err := multikey.DecodeEd25519(keyID)
	if err != nil {
		return "", err
	}
	params, err := httpsig.VerifyMessage(httpsig.RequestMessage(r, s.BaseURL, body), r.Header, key, keyID, s.Now())
	return base64.RawURLEncoding.EncodeToString(params.Nonce[:]), err
}
