package probe

import "errors"

// The reasons of a Refusal, for errors.Is.
var (
	// ErrEmpty means that the file has no bytes.
	ErrEmpty = errors.New("probe: empty file")
	// ErrNotAudio means that the file is something else than a recording.
	ErrNotAudio = errors.New("probe: not audio")
	// ErrPlaylist means that the file names other files instead of holding sound.
	ErrPlaylist = errors.New("probe: a playlist")
	// ErrVideo means that there are moving pictures in the file.
	ErrVideo = errors.New("probe: a video")
	// ErrUnsupported means a recording of a kind that is not taken.
	ErrUnsupported = errors.New("probe: unsupported audio")
	// ErrTooLong means that the recording is longer than Limits.MaxDuration.
	ErrTooLong = errors.New("probe: too long")
	// ErrTooShort means that the recording is shorter than Limits.MinDuration.
	ErrTooShort = errors.New("probe: too short")
	// ErrDamaged means that the file begins as a recording and cannot be read on.
	ErrDamaged = errors.New("probe: damaged")
)

// Refusal is the error of a file that is not taken. Trying again does not help.
type Refusal struct {
	// Reason is one of the errors above.
	Reason error
	// Words say to the person who uploaded the file what is wrong and what to do.
	Words string
	// Cause is for the log; it may be nil.
	Cause error
}

// Error is for the log.
func (r *Refusal) Error() string {
	if r.Cause != nil {
		return r.Reason.Error() + ": " + r.Cause.Error()
	}
	return r.Reason.Error()
}

// Unwrap gives the reason, and the cause if there is one.
func (r *Refusal) Unwrap() []error {
	if r.Cause != nil {
		return []error{r.Reason, r.Cause}
	}
	return []error{r.Reason}
}

const kinds = "Upload a recording as FLAC, WAV, AIFF, MP3, M4A, Ogg or Opus."

func refuse(reason error, words string) *Refusal { return &Refusal{Reason: reason, Words: words} }

func notAudio(cause error) *Refusal {
	return &Refusal{Reason: ErrNotAudio, Words: "This file is not a recording. " + kinds, Cause: cause}
}

func damaged(cause error) *Refusal {
	return &Refusal{
		Reason: ErrDamaged,
		Words:  "This file is damaged or not complete. Export it again, or upload it again if the upload was interrupted.",
		Cause:  cause,
	}
}

func unsupported(cause error) *Refusal {
	return &Refusal{Reason: ErrUnsupported, Words: "The sound in this file is of a kind that cannot be read here. " + kinds, Cause: cause}
}

func video() *Refusal {
	return refuse(ErrVideo, "This file is a video. Export its sound alone, and upload that.")
}
