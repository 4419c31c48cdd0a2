package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxBody is the most that a submission may have, in bytes.
const MaxBody = 64 << 10

// maxProof is how many hashes a proof may have: c2sp.org/tlog-witness says 63.
const maxProof = 63

// ErrMalformed means that a submission is not written as c2sp.org/tlog-witness has it.
var ErrMalformed = errors.New("malformed submission")

// Submission asks a witness to sign a checkpoint: the body of add-checkpoint.
//
//	old 7
//	base64 of a hash, one a line
//
//	the checkpoint, a signed note
type Submission struct {
	// Old is the size of the last checkpoint that the witness has signed, 0 for none.
	Old int64
	// Proof shows that the checkpoint goes on from there (RFC 6962, section 2.1.2); empty when Old is 0.
	Proof tlog.TreeProof
	// Note is the signed checkpoint.
	Note []byte
}

// Marshal writes the submission.
func (s Submission) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", s.Old)
	for _, h := range s.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(s.Note)
	return b.Bytes()
}

// ParseSubmission reads what Marshal writes, strictly; otherwise the error wraps ErrMalformed.
func ParseSubmission(body []byte) (Submission, error) {
	var s Submission
	if len(body) > MaxBody {
		return s, fmt.Errorf("%w: %d bytes", ErrMalformed, len(body))
	}
	head, signed, found := bytes.Cut(body, []byte("\n\n"))
	if !found {
		return s, fmt.Errorf("%w: no empty line", ErrMalformed)
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) > 1+maxProof {
		return s, fmt.Errorf("%w: a proof of %d hashes", ErrMalformed, len(lines)-1)
	}
	old, found := strings.CutPrefix(lines[0], "old ")
	n, err := strconv.ParseInt(old, 10, 64)
	if !found || err != nil || n < 0 || strconv.FormatInt(n, 10) != old {
		return s, fmt.Errorf("%w: want the old size, not %.40q", ErrMalformed, lines[0])
	}
	for _, line := range lines[1:] {
		raw, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(raw) != tlog.HashSize {
			return s, fmt.Errorf("%w: hash %.60q", ErrMalformed, line)
		}
		s.Proof = append(s.Proof, tlog.Hash(raw))
	}
	s.Old, s.Note = n, signed
	return s, nil
}

// checkpoint is what a note says, before anybody has checked its signatures.
type checkpoint struct {
	origin string
	size   int64
	root   tlog.Hash
	text   string
}

func readCheckpoint(signed []byte) (checkpoint, error) {
	var c log.Checkpoint
	_, err := note.Open(signed, note.VerifierList())
	unverified := (*note.UnverifiedNoteError)(nil)
	if !errors.As(err, &unverified) {
		return checkpoint{}, fmt.Errorf("%w: checkpoint: %w", ErrMalformed, err)
	}
	text := unverified.Note.Text
	if _, err := c.Unmarshal([]byte(text)); err != nil {
		return checkpoint{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(c.Hash) != tlog.HashSize || c.Size > 1<<62 || len(c.Origin) > maxOrigin {
		return checkpoint{}, fmt.Errorf("%w: checkpoint: origin, size or hash", ErrMalformed)
	}
	// One text for one state of a log: what is signed must not be open to choice.
	if string(c.Marshal()) != text {
		return checkpoint{}, fmt.Errorf("%w: checkpoint with more in it, or in another form", ErrMalformed)
	}
	return checkpoint{c.Origin, int64(c.Size), tlog.Hash(c.Hash), text}, nil
}

// maxOrigin bounds the name of a log, in bytes.
const maxOrigin = 300
