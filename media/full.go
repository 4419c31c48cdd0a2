package media

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"syscall"
	"time"

	"antiphon/internal/jobs"
	"antiphon/media/transcode"
)

// fullWords tell an artist why a step waits.
const fullWords = "The disk of this server is full. Nothing is lost: this goes on by itself when there is room."

// noRoom is how FFmpeg and the databases say it.
var noRoom = regexp.MustCompile(`(?i)no space left on device|file too large|disk is full|disk quota exceeded|disk full`)

// full reports whether an error says that there is no room left for what is written.
func full(err error) bool {
	for _, code := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, code) {
			return true
		}
	}
	var exit *transcode.ExitError
	if errors.As(err, &exit) && noRoom.MatchString(exit.Log) {
		return true
	}
	return err != nil && noRoom.MatchString(err.Error())
}

// wait puts a step off until there may be room. It is no attempt: what was uploaded is not given up because the disk is
// full for an hour.
func (s *Service) wait(ctx context.Context, id TrackID, name string, cause error) error {
	s.log.Warn("disk full: a track waits", "track", id, "step", name, "error", cause)
	if err := s.setStep(s.db.Write.WithContext(ctx), id, name, map[string]any{"message": fullWords}); err != nil {
		s.log.Warn("and the database does not take that", "track", id, "error", err)
	}
	return fmt.Errorf("%s track %s: %w", name, id, jobs.Later(s.config.FullPause))
}

// defaultPause is Config.FullPause when it is 0.
const defaultPause = time.Minute
