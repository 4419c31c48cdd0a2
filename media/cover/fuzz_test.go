package cover

import (
	"bytes"
	"image/color"
	"image/jpeg"
	"testing"
)

func FuzzOrientation(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(8, 8, color.Black), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(withExif(b.Bytes(), 6))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v := orientation(b); v < 1 || v > 8 {
			t.Errorf("orientation %d", v)
		}
	})
}
