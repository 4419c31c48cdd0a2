package transcode

import (
	"context"
	"fmt"
	"io"
	"strconv"
)

// Decode writes the sound of the file at path to w as raw samples: signed 16
// bits, little endian, interleaved, at rate Hz. channels is 1 or 2.
func Decode(ctx context.Context, engine Engine, path string, rate, channels int, w io.Writer) error {
	err := engine.Run(ctx, Command{
		Tool:   FFmpeg,
		Input:  path,
		Stdout: w,
		Args: func(in, _ string) []string {
			return []string{"-i", in, "-map", "0:a:0", "-ar", strconv.Itoa(rate), "-ac", strconv.Itoa(channels),
				"-c:a", "pcm_s16le", "-f", "s16le", "pipe:1"}
		},
	})
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}
