package transcode

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Download is a file that a buyer keeps, without tags.
type Download struct {
	// Format is "flac", "mp3" or "opus", and the file's extension.
	Format string
	// MediaType of the file.
	MediaType string
	// Path of the file.
	Path string
}

// The formats of downloads.
const (
	DownloadFLAC = "flac"
	DownloadMP3  = "mp3"
	DownloadOpus = "opus"
)

// downloads says what is made of a source: MP3 (VBR V0) for every player there is, Opus (160 kbit/s) for small ones, and
// FLAC at the source's own rate and depth. There is no FLAC of a lossy source: it would promise what is not there.
func downloads(j Job) []Download {
	list := []Download{{DownloadMP3, "audio/mpeg", ""}, {DownloadOpus, "audio/ogg; codecs=opus", ""}}
	if j.BitDepth > 0 {
		list = append([]Download{{DownloadFLAC, "audio/flac", ""}}, list...)
	}
	for i, d := range list {
		list[i].Path = filepath.Join(j.Dir, "download."+d.Format)
	}
	return list
}

// Downloads makes the files that a buyer keeps, in one run that decodes the source once. The job's preview and
// duration do not count. After an error the files in Dir are of no use.
func Downloads(ctx context.Context, engine Engine, job Job) ([]Download, error) {
	if err := os.MkdirAll(job.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make downloads: %w", err)
	}
	list := downloads(job)
	err := engine.Run(ctx, Command{
		Tool: FFmpeg, Input: job.Source, OutDir: job.Dir,
		Args: func(in, out string) []string {
			args := []string{"-i", in}
			for _, d := range list {
				args = append(append(args, "-map", "0:a:0"), d.encode(job)...)
				args = append(append(args, clean...), "-f", map[string]string{DownloadFLAC: "flac", DownloadMP3: "mp3", DownloadOpus: "ogg"}[d.Format],
					out+"/"+filepath.Base(d.Path))
			}
			return args
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make downloads: %w", err)
	}
	return list, nil
}

// encode gives the arguments of the encoder. Everything but FLAC has one or two channels.
func (d Download) encode(j Job) []string {
	switch d.Format {
	case DownloadFLAC:
		format := "s16"
		if flacDepth(j.BitDepth) == maxFLACDepth {
			format = "s32"
		}
		return []string{"-af", "aformat=sample_fmts=" + format, "-c:a", "flac", "-compression_level", "8"}
	case DownloadMP3:
		return []string{"-af", layout(j.Channels) + fmt.Sprintf(",aresample=%d", lossyRate(j.SampleRate)), "-c:a", "libmp3lame", "-q:a", "0"}
	default:
		return []string{"-af", layout(j.Channels) + ",aresample=48000", "-c:a", "libopus", "-b:a", "160k"}
	}
}
