package hls

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/abema/go-mp4"
)

const (
	maxInit = 64 << 10 // ftyp and moov of one track without samples: under 1 KiB
	maxMoof = 256 << 10
	maxSkip = 16 << 20 // index boxes that Cut leaves out
)

// fragment is one moof with its mdat.
type fragment struct {
	data     []byte
	duration time.Duration
}

// fragments reads a fragmented MP4 box by box.
type fragments struct {
	r         io.Reader
	limits    Limits
	timescale uint32
	// defaultDuration is trex's, in units of the timescale, which a tfhd overrides.
	defaultDuration uint32
}

// header reads a box header; size is the whole box's. A clean end is io.EOF.
func (f *fragments) header() (head []byte, boxType string, size uint64, err error) {
	head = make([]byte, mp4.SmallHeaderSize, mp4.LargeHeaderSize)
	if _, err := io.ReadFull(f.r, head); err != nil {
		if err == io.EOF {
			return nil, "", 0, io.EOF
		}
		return nil, "", 0, fmt.Errorf("read mp4 box: %w", err)
	}
	size = uint64(binary.BigEndian.Uint32(head))
	if size == 1 {
		head = head[:mp4.LargeHeaderSize]
		if _, err := io.ReadFull(f.r, head[mp4.SmallHeaderSize:]); err != nil {
			return nil, "", 0, fmt.Errorf("read mp4 box: %w", noEOF(err))
		}
		size = binary.BigEndian.Uint64(head[mp4.SmallHeaderSize:])
	}
	if size < uint64(len(head)) {
		return nil, "", 0, fmt.Errorf("%w: box of %d bytes", ErrNotFragmented, size)
	}
	return head, string(head[4:8]), size, nil
}

// body appends the rest of a box to dst.
func (f *fragments) body(dst, head []byte, size uint64) ([]byte, error) {
	start := len(dst)
	dst = append(dst, head...)
	dst = append(dst, make([]byte, size-uint64(len(head)))...)
	if _, err := io.ReadFull(f.r, dst[start+len(head):]); err != nil {
		return nil, fmt.Errorf("read mp4 box: %w", noEOF(err))
	}
	return dst, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readInit reads ftyp and moov, and what the durations of fragments hang on.
func (f *fragments) readInit() ([]byte, error) {
	var init []byte
	for {
		head, boxType, size, err := f.header()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: no moov", ErrNotFragmented)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case boxType != "ftyp" && boxType != "moov":
			return nil, fmt.Errorf("%w: %q before moov", ErrNotFragmented, boxType)
		case boxType == "moov" && init == nil, uint64(len(init))+size > maxInit:
			return nil, fmt.Errorf("%w: %q of %d bytes", ErrNotFragmented, boxType, size)
		}
		start := len(init)
		if init, err = f.body(init, head, size); err != nil {
			return nil, err
		}
		if boxType == "moov" {
			return init, f.readMoov(init[start:])
		}
	}
}

func (f *fragments) readMoov(moov []byte) error {
	boxes, err := extract(moov,
		mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeTrak(), mp4.BoxTypeMdia(), mp4.BoxTypeMdhd()},
		mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeMvex(), mp4.BoxTypeTrex()},
	)
	if err != nil {
		return err
	}
	var tracks, defaults int
	for _, b := range boxes {
		switch box := b.Payload.(type) {
		case *mp4.Mdhd:
			tracks++
			f.timescale = box.Timescale
		case *mp4.Trex:
			defaults++
			f.defaultDuration = box.DefaultSampleDuration
		}
	}
	if tracks != 1 || defaults != 1 || f.timescale == 0 {
		return fmt.Errorf("%w: %d tracks, %d defaults, timescale %d", ErrNotFragmented, tracks, defaults, f.timescale)
	}
	return nil
}

func extract(box []byte, paths ...mp4.BoxPath) ([]*mp4.BoxInfoWithPayload, error) {
	boxes, err := mp4.ExtractBoxesWithPayload(bytes.NewReader(box), nil, paths)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFragmented, err)
	}
	return boxes, nil
}

// next reads the next fragment, or io.EOF.
func (f *fragments) next() (fragment, error) {
	var frag fragment
	for {
		head, boxType, size, err := f.header()
		if err == io.EOF && frag.data != nil {
			return fragment{}, fmt.Errorf("%w: moof without mdat", ErrNotFragmented)
		}
		if err != nil {
			return fragment{}, err
		}
		switch boxType {
		case "moof":
			if frag.data != nil || size > maxMoof {
				return fragment{}, fmt.Errorf("%w: moof of %d bytes", ErrNotFragmented, size)
			}
			if frag.data, err = f.body(nil, head, size); err != nil {
				return fragment{}, err
			}
			if frag.duration, err = f.duration(frag.data); err != nil {
				return fragment{}, err
			}
		case "mdat":
			if frag.data == nil {
				return fragment{}, fmt.Errorf("%w: mdat without moof", ErrNotFragmented)
			}
			if size > uint64(f.limits.MaxBytes-min(len(frag.data), f.limits.MaxBytes)) || frag.duration > f.limits.MaxDuration {
				return fragment{}, fmt.Errorf("%w: %d bytes, %s", ErrFragmentTooLarge, uint64(len(frag.data))+size, frag.duration)
			}
			frag.data, err = f.body(frag.data, head, size)
			return frag, err
		default:
			// sidx, styp, mfra and the like: their offsets are void after the cut.
			if frag.data != nil || size > maxSkip {
				return fragment{}, fmt.Errorf("%w: %q of %d bytes", ErrNotFragmented, boxType, size)
			}
			if _, err := io.CopyN(io.Discard, f.r, int64(size)-int64(len(head))); err != nil {
				return fragment{}, fmt.Errorf("skip mp4 box: %w", noEOF(err))
			}
		}
	}
}

// duration adds up the samples of a moof.
func (f *fragments) duration(moof []byte) (time.Duration, error) {
	boxes, err := mp4.ExtractBoxes(bytes.NewReader(moof), nil, []mp4.BoxPath{
		{mp4.BoxTypeMoof(), mp4.BoxTypeTraf(), mp4.BoxTypeTfhd()},
		{mp4.BoxTypeMoof(), mp4.BoxTypeTraf(), mp4.BoxTypeTrun()},
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotFragmented, err)
	}
	perSample := f.defaultDuration
	var units uint64
	for _, b := range boxes {
		payload := moof[b.Offset+b.HeaderSize : b.Offset+b.Size]
		switch b.Type {
		case mp4.BoxTypeTfhd():
			var tfhd mp4.Tfhd
			if _, err := mp4.Unmarshal(bytes.NewReader(payload), uint64(len(payload)), &tfhd, b.Context); err != nil {
				return 0, fmt.Errorf("%w: %w", ErrNotFragmented, err)
			}
			if tfhd.CheckFlag(mp4.TfhdDefaultSampleDurationPresent) {
				perSample = tfhd.DefaultSampleDuration
			}
		case mp4.BoxTypeTrun():
			n, err := runUnits(payload, perSample)
			if err != nil {
				return 0, err
			}
			units += n
		}
	}
	// Longer than an hour is over every limit, and would overflow below.
	if units > 3600*uint64(f.timescale) {
		return 0, fmt.Errorf("%w: %d units of 1/%d s", ErrFragmentTooLarge, units, f.timescale)
	}
	return time.Duration(units * uint64(time.Second) / uint64(f.timescale)), nil
}

// runUnits adds up a trun (ISO/IEC 14496-12 section 8.8.8). It is read by hand
// because the library makes an entry for each of the samples that the box
// claims to have, also when an entry takes no bytes.
func runUnits(trun []byte, perSample uint32) (uint64, error) {
	short := fmt.Errorf("%w: trun of %d bytes", ErrNotFragmented, len(trun))
	if len(trun) < 8 {
		return 0, short
	}
	flags := binary.BigEndian.Uint32(trun) & 0xffffff
	samples := uint64(binary.BigEndian.Uint32(trun[4:]))
	if flags&0x100 == 0 { // no durations of their own
		return samples * uint64(perSample), nil
	}
	head, entry := 8, uint64(0)
	for _, flag := range []uint32{0x1, 0x4} {
		if flags&flag != 0 {
			head += 4
		}
	}
	for _, flag := range []uint32{0x100, 0x200, 0x400, 0x800} {
		if flags&flag != 0 {
			entry += 4
		}
	}
	if len(trun) < head || uint64(len(trun)-head) < samples*entry {
		return 0, short
	}
	var units uint64
	for i := range samples {
		units += uint64(binary.BigEndian.Uint32(trun[uint64(head)+i*entry:]))
	}
	return units, nil
}
