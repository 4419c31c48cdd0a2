package hls

import (
	"errors"
	"io"
	"iter"
	"time"
)

// Errors of Cut. The input is an encoder's output, so they mean a fault of ours
// or of the encoder's, not of a visitor's.
var (
	// ErrNotFragmented means that the input is not fragmented MP4 with one track.
	ErrNotFragmented = errors.New("hls: not a fragmented mp4 of one track")
	// ErrFragmentTooLarge means that one fragment alone breaks the limits.
	ErrFragmentTooLarge = errors.New("hls: fragment over the limits of a segment")
)

// Limits bound a segment. Zero values take the defaults.
type Limits struct {
	// MaxDuration of a segment. Default 6 s.
	MaxDuration time.Duration
	// MaxBytes of a segment before it is sealed. Default 1 MiB - 16, so that
	// the sealed segment with its padding is one block of at most 1 MiB.
	MaxBytes int
	// MinDuration is what the last segment should reach: a shorter tail is
	// joined with its neighbor, or shares with it when both do not fit into
	// one. Default 2 s.
	MinDuration time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.MaxDuration == 0 {
		l.MaxDuration = 6 * time.Second
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = 1<<20 - 16
	}
	if l.MinDuration == 0 {
		l.MinDuration = 2 * time.Second
	}
	return l
}

// Segment is a run of whole fragments: playable after the init segment.
type Segment struct {
	Data     []byte
	Duration time.Duration
}

// Cut reads fragmented MP4 and groups its fragments into segments within the
// limits. init is the initialization section (ftyp and moov). The segments are
// read from r while they are ranged over, with at most three of them in memory;
// the range ends after the first error. Each Segment's Data belongs to the
// caller.
func Cut(r io.Reader, limits Limits) (init []byte, segments iter.Seq2[Segment, error], err error) {
	limits = limits.withDefaults()
	f := &fragments{r: r, limits: limits}
	if init, err = f.readInit(); err != nil {
		return nil, nil, err
	}
	return init, func(yield func(Segment, error) bool) {
		var before, current group
		for {
			frag, err := f.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				yield(Segment{}, err)
				return
			}
			if current.with(frag).fits(limits) {
				current = current.with(frag)
				continue
			}
			if len(before) > 0 && !yield(before.segment(), nil) {
				return
			}
			before, current = current, group{frag}
		}
		for _, g := range settle(before, current, limits) {
			if !yield(g.segment(), nil) {
				return
			}
		}
	}, nil
}

// group is the fragments of one segment to be.
type group []fragment

func (g group) with(f fragment) group { return append(g[:len(g):len(g)], f) }

func (g group) duration() (d time.Duration) {
	for _, f := range g {
		d += f.duration
	}
	return d
}

func (g group) size() (n int) {
	for _, f := range g {
		n += len(f.data)
	}
	return n
}

func (g group) fits(l Limits) bool {
	return g.duration() <= l.MaxDuration && g.size() <= l.MaxBytes
}

func (g group) segment() Segment {
	data := make([]byte, 0, g.size())
	for _, f := range g {
		data = append(data, f.data...)
	}
	return Segment{Data: data, Duration: g.duration()}
}

// settle decides what becomes of the last two groups. A tail shorter than
// MinDuration made players fail, so it is joined with the group before it, or,
// when one segment cannot hold both, fragments move over until the shorter of
// the two is as long as it can be.
func settle(before, tail group, l Limits) []group {
	switch {
	case len(tail) == 0:
		return nil
	case len(before) == 0:
		return []group{tail}
	case tail.duration() >= l.MinDuration:
		return []group{before, tail}
	}
	all := append(before[:len(before):len(before)], tail...)
	if all.fits(l) {
		return []group{all}
	}
	best := len(before)
	for i := 1; i < len(all); i++ {
		a, b := all[:i], all[i:]
		if a.fits(l) && b.fits(l) && min(a.duration(), b.duration()) > min(all[:best].duration(), all[best:].duration()) {
			best = i
		}
	}
	return []group{all[:best], all[best:]}
}
