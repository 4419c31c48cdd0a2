package transcode

import "strings"

// guard is put before every command's arguments. It bounds what a hostile file
// can make FFmpeg do: no network, no playlist that names other files, no
// containers or codecs but those that music comes in, no allocation over 256 MiB.
func guard(tool Tool) []string {
	args := []string{
		"-hide_banner",
		"-max_alloc", "268435456",
		"-protocol_whitelist", "file,pipe",
		"-format_whitelist", strings.Join(demuxers, ","),
		"-codec_whitelist", strings.Join(decoders, ","),
	}
	switch tool {
	case FFprobe:
		// ffprobe opens the decoder of every stream, without using it, and fails
		// where it must not: those of covers are allowed that much. The list
		// above still keeps pictures from being decoded in search of their size.
		args = append(args, "-codec_whitelist:v", strings.Join(pictures, ","))
	case FFmpeg:
		// The first are global; the last goes to the input.
		args = append([]string{"-nostdin", "-y", "-nostats", "-filter_threads", "1", "-filter_complex_threads", "1"}, args...)
		args = append(args, "-threads", "1")
	}
	return args
}

// The containers and codecs that an upload may have, by FFmpeg's names. There
// is no hls, concat, dash or other playlist, no image and no subtitle among them.
var (
	demuxers = []string{
		"aac", "aiff", "ape", "asf", "caf", "flac", "matroska", "mov", "mp3", "mp4", "ogg", "tta", "w64", "wav", "webm", "wv",
	}
	decoders = []string{
		"aac", "aac_fixed", "alac", "ape", "flac", "libopus", "libvorbis", "mp3", "mp3float", "opus", "tta", "vorbis", "wavpack",
		"wmalossless", "wmapro", "wmav1", "wmav2",
		"pcm_alaw", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_mulaw", "pcm_s16be", "pcm_s16le", "pcm_s24be",
		"pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8",
	}
	pictures = []string{"bmp", "gif", "mjpeg", "png", "tiff", "webp"}
)
