package cover

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// picture is one color with a white corner at the top left.
func picture(w, h int, c color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
			if x < w/4 && y < h/4 {
				img.Set(x, y, color.White)
			}
		}
	}
	return img
}

func encoded(t *testing.T, format string, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "jpeg":
		err = jpeg.Encode(&b, img, nil)
	case "png":
		err = png.Encode(&b, img)
	case "gif":
		err = gif.Encode(&b, img, &gif.Options{NumColors: 256})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webp is a lossless picture of 64 x 64 in one blue, made with libwebp by FFmpeg 5.1.
var webp = []byte("RIFF\x24\x00\x00\x00WEBPVP8L\x17\x00\x00\x00\x2f\x3f\xc0\x0f\x00\x07\xd0\xaf\x7e\x14\xb8\xff" +
	"\x01\x20\x21\xfc\x7f\xaf\x45\xf4\x3f\xf5\x03\x00")

func TestMake(t *testing.T) {
	t.Parallel()
	red := color.RGBA{200, 30, 40, 255}
	noise := image.NewRGBA(image.Rect(0, 0, 1300, 1300))
	random := rand.NewChaCha8([32]byte{1})
	if _, err := random.Read(noise.Pix); err != nil {
		t.Fatal(err)
	}
	for i := 3; i < len(noise.Pix); i += 4 {
		noise.Pix[i] = 255
	}
	tests := map[string]struct {
		in           []byte
		large, small int
	}{
		"jpeg":  {encoded(t, "jpeg", picture(1600, 1400, red)), 1200, 320},
		"png":   {encoded(t, "png", picture(500, 900, red)), 500, 320},
		"gif":   {encoded(t, "gif", picture(100, 100, red)), 100, 100},
		"webp":  {webp, 64, 64},
		"wide":  {encoded(t, "png", picture(4000, 40, red)), 40, 40},
		"noise": {encoded(t, "png", noise), 1200, 320},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			images, err := Make(bytes.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []struct {
				b    []byte
				side int
			}{{images.Large, tt.large}, {images.Small, tt.small}} {
				config, format, err := image.DecodeConfig(bytes.NewReader(want.b))
				if err != nil || format != "jpeg" || config.Width != want.side || config.Height != want.side {
					t.Errorf("got %s of %d x %d, %v, want a jpeg of side %d", format, config.Width, config.Height, err, want.side)
				}
				if len(want.b) >= 1<<20 {
					t.Errorf("%d bytes, want under 1 MiB", len(want.b))
				}
			}
		})
	}
}

// What a camera wrote about place and owner must not be published.
func TestMakeStripsMetadata(t *testing.T) {
	t.Parallel()
	in := withExif(encoded(t, "jpeg", picture(64, 64, color.RGBA{9, 99, 200, 255})), 1)
	if !bytes.Contains(in, []byte("Exif")) {
		t.Fatal("no metadata in the input")
	}
	images, err := Make(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(images.Large, []byte("Exif")) || bytes.Contains(images.Small, []byte("Exif")) {
		t.Error("metadata is in the output")
	}
}

// withExif puts the orientation into a JPEG.
func withExif(b []byte, orientation uint16) []byte {
	tiff := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	tiff = append(binary.BigEndian.AppendUint16(tiff, orientation), 0, 0, 0, 0, 0, 0)
	exif := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, b[:2]...)
	out = binary.BigEndian.AppendUint16(append(out, 0xff, 0xe1), uint16(len(exif)+2))
	return append(append(out, exif...), b[2:]...)
}

func TestMakeTurns(t *testing.T) {
	t.Parallel()
	// Where the white corner of the top left goes (CIPA DC-008, table of Orientation).
	corners := map[uint16][2]int{1: {0, 0}, 2: {1, 0}, 3: {1, 1}, 4: {0, 1}, 5: {0, 0}, 6: {1, 0}, 7: {1, 1}, 8: {0, 1}}
	for orientation, corner := range corners {
		in := withExif(encoded(t, "jpeg", picture(128, 128, color.RGBA{200, 0, 0, 255})), orientation)
		images, err := Make(bytes.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(images.Large))
		if err != nil {
			t.Fatal(err)
		}
		for y := range 2 {
			for x := range 2 {
				_, g, _, _ := img.At(8+x*111, 8+y*111).RGBA()
				if isWhite := g > 0x8000; isWhite != (corner == [2]int{x, y}) {
					t.Errorf("orientation %d: corner %d,%d white: %t", orientation, x, y, isWhite)
				}
			}
		}
	}
}

// bomb is a small PNG whose header claims w x h.
func bomb(t *testing.T, w, h uint32) []byte {
	b := encoded(t, "png", picture(64, 64, color.Black))
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	good := encoded(t, "jpeg", picture(64, 64, color.Black))
	small := image.NewPaletted(image.Rect(0, 0, 1, 1), palette.Plan9)
	var shrunk bytes.Buffer
	if err := gif.EncodeAll(&shrunk, &gif.GIF{Image: []*image.Paletted{small}, Delay: []int{0}, Config: image.Config{Width: 100, Height: 100}}); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		in   []byte
		want error
	}{
		"empty":      {nil, ErrNotPicture},
		"text":       {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), ErrNotPicture},
		"cut":        {good[:len(good)/2], ErrNotPicture},
		"many bytes": {make([]byte, MaxBytes+1), ErrTooLarge},
		"bomb":       {bomb(t, 60000, 60000), ErrTooLarge},
		"wide bomb":  {bomb(t, 1<<31-1, 40), ErrTooLarge},
		"tiny":       {encoded(t, "png", picture(8, 8, color.Black)), ErrTooSmall},
		"thin":       {encoded(t, "png", picture(900, 2, color.Black)), ErrTooSmall},
		"tiny frame": {shrunk.Bytes(), ErrTooSmall},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Make(bytes.NewReader(tt.in))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if Words(err) == "" {
				t.Error("no words for people")
			}
		})
	}
}

func TestAccents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := color.RGBA{rapid.Byte().Draw(t, "r"), rapid.Byte().Draw(t, "g"), rapid.Byte().Draw(t, "b"), 255}
		light, dark := accents(picture(8, 8, c))
		if got := contrast(parse(t, light), white); got < minContrast {
			t.Errorf("%s on white has contrast %.2f", light, got)
		}
		if got := contrast(parse(t, dark), black); got < minContrast {
			t.Errorf("%s on black has contrast %.2f", dark, got)
		}
	})
	light, _ := accents(picture(64, 64, color.RGBA{200, 30, 40, 255}))
	if c := parse(t, light); c.r < 2*c.g || c.r < 2*c.b {
		t.Errorf("accent of a red picture is %s", light)
	}
	if light, dark := accents(picture(64, 64, color.Gray{90})); light != "#757575" || dark != "#808080" {
		t.Errorf("accents of a gray picture are %s and %s", light, dark)
	}
}

func TestContrast(t *testing.T) {
	t.Parallel()
	if got := contrast(white, black); math.Abs(got-21) > 1e-9 {
		t.Errorf("white on black: %g, want 21", got)
	}
	// The gray that is known as the lightest that passes on white.
	if got := contrast(rgb{0x76, 0x76, 0x76}, white); got < 4.5 || got > 4.6 {
		t.Errorf("#767676 on white: %g, want 4.54", got)
	}
}

type fataler interface{ Fatalf(string, ...any) }

func parse(t fataler, s string) rgb {
	var v uint32
	if len(s) == 7 && s[0] == '#' {
		for _, r := range s[1:] {
			d := bytes.IndexByte([]byte("0123456789abcdef"), byte(r))
			if d < 0 {
				t.Fatalf("color %q", s)
			}
			v = v<<4 | uint32(d)
		}
		return rgb{uint8(v >> 16), uint8(v >> 8), uint8(v)}
	}
	t.Fatalf("color %q", s)
	return rgb{}
}
