// Package probe says what an uploaded file is, or why it is refused, in words
// that can be shown to the person who uploaded it.
//
//	info, err := probe.Probe(ctx, engine, path, probe.Limits{})
//	var refusal *probe.Refusal
//	if errors.As(err, &refusal) {
//		return refusal.Words
//	}
//
// It reads headers, tags and packets but decodes no sound: whether a recording
// is silent is known after transcode.Convert. It believes neither the name of a
// file nor the duration in its header.
//
// Start with [Probe].
package probe
