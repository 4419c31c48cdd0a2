package cover

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"

	_ "image/gif"
	_ "image/png"

	_ "golang.org/x/image/webp"
)

// Errors of Make; Words says them to people.
var (
	// ErrNotPicture means that the bytes are no JPEG, PNG, GIF or WebP that can
	// be decoded.
	ErrNotPicture = errors.New("cover: not a picture")
	// ErrTooLarge means over MaxBytes or MaxPixels.
	ErrTooLarge = errors.New("cover: picture too large")
	// ErrTooSmall means that a side is shorter than MinSide.
	ErrTooSmall = errors.New("cover: picture too small")
)

// What a picture may have, and the sides of what is made.
const (
	MaxBytes  = 10 << 20
	MaxPixels = 40_000_000
	MinSide   = 32

	LargeSide = 1200
	SmallSide = 320
)

// maxOut is for each picture: one block of the store, with room to spare.
const maxOut = 1<<20 - 1024

// Images are what is shown for a track.
type Images struct {
	// Large and Small are square JPEGs of at most LargeSide and SmallSide pixels
	// a side, each under 1 MiB. A picture is never made larger than it was.
	Large, Small []byte
	// AccentLight is a color of the picture, as "#rrggbb", that text and buttons
	// can have on a white page: its WCAG 2 contrast with white is at least 4.5.
	AccentLight string
	// AccentDark is the same for a black page.
	AccentDark string
}

// Words says an error of Make to the person who uploaded the picture, or
// nothing if it is not one of them.
func Words(err error) string {
	switch {
	case errors.Is(err, ErrNotPicture):
		return "This file is not a picture that can be read. Upload a JPEG, PNG, GIF or WebP."
	case errors.Is(err, ErrTooLarge):
		return "This picture is too large. It may have 10 MB and 40 megapixels."
	case errors.Is(err, ErrTooSmall):
		return fmt.Sprintf("This picture is too small. Each side needs at least %d pixels, and looks best with %d.", MinSide, LargeSide)
	}
	return ""
}

// Make reads one picture to the end of r. What is not square loses the longer
// side's two ends equally; transparent parts become white.
func Make(r io.Reader) (Images, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return Images{}, fmt.Errorf("read picture: %w", err)
	}
	if len(b) > MaxBytes {
		return Images{}, fmt.Errorf("%w: over %d bytes", ErrTooLarge, MaxBytes)
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return Images{}, fmt.Errorf("%w: %w", ErrNotPicture, err)
	}
	switch {
	case config.Width < MinSide || config.Height < MinSide:
		return Images{}, fmt.Errorf("%w: %d x %d", ErrTooSmall, config.Width, config.Height)
	case config.Width > MaxPixels/config.Height:
		return Images{}, fmt.Errorf("%w: %d x %d", ErrTooLarge, config.Width, config.Height)
	}
	src, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return Images{}, fmt.Errorf("%w: %w", ErrNotPicture, err)
	}
	// A GIF's first frame may be smaller than the picture that was announced.
	if bounds := src.Bounds(); bounds.Dx() < MinSide || bounds.Dy() < MinSide {
		return Images{}, fmt.Errorf("%w: %d x %d", ErrTooSmall, bounds.Dx(), bounds.Dy())
	}
	turn := 1
	if format == "jpeg" {
		turn = orientation(b)
	}
	large := square(src, LargeSide)
	orient(large, turn)
	small := square(large, SmallSide)
	var images Images
	if images.Large, err = encode(large); err != nil {
		return Images{}, err
	}
	if images.Small, err = encode(small); err != nil {
		return Images{}, err
	}
	images.AccentLight, images.AccentDark = accents(small)
	return images, nil
}

// encode takes the best quality that fits.
func encode(img image.Image) ([]byte, error) {
	for _, quality := range []int{88, 75, 55, 30} {
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("encode cover: %w", err)
		}
		if out.Len() <= maxOut {
			return out.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("%w: does not fit one block", ErrTooLarge)
}
