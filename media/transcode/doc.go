// Package transcode makes from a recording what Antiphon publishes: renditions
// in AAC and FLAC, a preview, the loudness and a waveform. FFmpeg does the work,
// the one that is installed or the one inside this program, behind one Engine.
//
//	engine, err := transcode.Open(ctx, transcode.Config{CacheDir: dir})
//	info, err := probe.Probe(ctx, engine, path, probe.Limits{})
//	result, err := transcode.Convert(ctx, engine, transcode.Job{Source: path, ...}, progress)
//
// Its input is a stranger's file. No playlist, network protocol or picture
// reaches FFmpeg; time, memory and output are bounded (Limits). The embedded
// engine is a sandbox and sees one file; the native one is a process of this
// user, so give an instance with strangers on it an FFmpeg that is kept up to
// date, or choose the embedded one.
//
// It is not a general wrapper of FFmpeg, it judges no file (media/probe), and
// encrypts nothing (media/seal). Start with [Open] and [Convert].
package transcode
