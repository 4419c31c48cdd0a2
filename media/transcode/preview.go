package transcode

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// PreviewDuration is how long a preview is, unless the recording is shorter.
	PreviewDuration = 30 * time.Second

	previewFile = "preview.mp3"
)

// fades are half a second in and a second out. The end is turned to the front
// for its fade, because it is not known before it is reached.
const fades = "afade=t=in:d=0.5,areverse,afade=t=in:d=1,areverse"

// previewStart moves a start back so that the preview is whole.
func previewStart(start, duration time.Duration) time.Duration {
	return max(min(start, duration-PreviewDuration), 0)
}

// previewEncode is MP3 at 128 kbit/s: every timeline plays it, and 30 s are 480 KB.
func previewEncode(path string) []string {
	return append(append([]string{"-c:a", "libmp3lame", "-b:a", "128k"}, clean...), "-f", "mp3", path)
}

// Preview makes the preview of a recording alone, for when another start was
// chosen: an MP3 of at most 30 s and under 1 MiB, with short fades. dest is
// written in one step, or not at all. A start too near the end is moved back.
func Preview(ctx context.Context, engine Engine, source, dest string, start time.Duration) error {
	duration, err := announced(ctx, engine, source)
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	return preview(ctx, engine, source, dest, previewStart(start, duration))
}

func preview(ctx context.Context, engine Engine, source, dest string, start time.Duration) error {
	dir, err := os.MkdirTemp(filepath.Dir(dest), ".preview-*")
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	made := filepath.Join(dir, previewFile)
	for {
		err := engine.Run(ctx, Command{
			Tool:   FFmpeg,
			Input:  source,
			OutDir: dir,
			Args: func(in, out string) []string {
				args := []string{"-ss", seconds(start), "-t", seconds(PreviewDuration), "-i", in,
					"-map", "0:a:0", "-af", layout(2) + ",aformat=sample_rates=44100|48000," + fades}
				return append(args, previewEncode(out+"/"+previewFile)...)
			},
		})
		info, statErr := os.Stat(made)
		empty := statErr != nil || info.Size() < 1000 // less than three frames
		switch {
		case empty && start > 0 && ctx.Err() == nil:
			start = 0 // the header promised more than there was
			continue
		case err == nil && empty:
			err = fmt.Errorf("%w: no sound was decoded", ErrFailed)
		case err == nil:
			err = os.Rename(made, dest)
		}
		if err != nil {
			return fmt.Errorf("preview: %w", err)
		}
		return nil
	}
}

// announced is the duration that the file claims, or 0 if it claims none.
func announced(ctx context.Context, engine Engine, source string) (time.Duration, error) {
	var out bytes.Buffer
	err := engine.Run(ctx, Command{
		Tool:     FFprobe,
		Input:    source,
		Cautious: true,
		Stdout:   &out,
		Args: func(in, _ string) []string {
			return []string{"-show_entries", "format=duration", "-of", "default=noprint_wrappers=1:nokey=1", "-i", in}
		},
	})
	if err != nil {
		return 0, err
	}
	s, err := strconv.ParseFloat(strings.TrimSpace(out.String()), 64)
	if err != nil || !(s > 0 && s < 1e6) {
		return 0, nil
	}
	return time.Duration(s * float64(time.Second)), nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
