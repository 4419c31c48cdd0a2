package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"antiphon/payments/dispute"
)

const (
	// partBytes is how much of a file one answer has.
	partBytes = 600_000
	// maxEvidence bounds a file of evidence.
	maxEvidence = 8 << 30
)

// part is some of a file of evidence.
type part struct {
	Size int64  `json:"size"`
	From int64  `json:"from"`
	Data []byte `json:"data"`
}

// Evidence answers an instance that was drawn to judge a dispute about this one with the file of evidence, in parts.
func (s *Service) Evidence() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := s.asker(w, r)
		if !ok {
			return
		}
		from, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
		if err != nil || from < 0 {
			http.Error(w, "from is not a number", http.StatusBadRequest)
			return
		}
		f, err := s.Disputes.Evidence(r.Context(), r.URL.Query().Get("dispute"), host)
		if errors.Is(err, dispute.ErrNotHere) {
			http.Error(w, "there is no such evidence here for "+host, http.StatusNotFound)
			return
		}
		if err != nil {
			s.answer(w, nil, err)
			return
		}
		defer f.Close()
		p := part{From: from}
		if p.Size, err = f.Seek(0, io.SeekEnd); err == nil && from < p.Size {
			p.Data = make([]byte, min(partBytes, p.Size-from))
			_, err = f.ReadAt(p.Data, from)
		}
		s.answer(w, p, err)
	})
}

// FetchEvidence writes the evidence that another node has handed in; it is [dispute.Parts].Fetch.
func (s *Service) FetchEvidence(ctx context.Context, node, id string, w io.Writer) error {
	for from := int64(0); ; {
		query := url.Values{"dispute": {id}, "from": {strconv.FormatInt(from, 10)}}
		raw, err := s.Fetch.JSON(ctx, s.config.Scheme+"://"+node+EvidencePath+"?"+query.Encode())
		if err != nil {
			return err
		}
		var p part
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("%w: %w", dispute.ErrEvidence, err)
		}
		if p.From != from || p.Size > maxEvidence || len(p.Data) == 0 && from < p.Size {
			return fmt.Errorf("%w: a part of it is missing", dispute.ErrEvidence)
		}
		if _, err := w.Write(p.Data); err != nil {
			return err
		}
		if from += int64(len(p.Data)); from >= p.Size {
			return nil
		}
	}
}
