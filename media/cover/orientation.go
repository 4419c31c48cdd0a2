package cover

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation reads the tag of that name from a JPEG's Exif (CIPA DC-008,
// section 4.6.4): 1 to 8, and 1 where there is none. Telephones turn pictures
// by it alone, and it goes with the rest of the metadata.
func orientation(jpeg []byte) int {
	for b := jpeg[min(2, len(jpeg)):]; len(b) >= 4 && b[0] == 0xff && b[1] != 0xda; {
		size := int(binary.BigEndian.Uint16(b[2:]))
		if size < 2 || len(b) < 2+size {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(b[4:2+size], []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return tiffOrientation(tiff)
		}
		b = b[2+size:]
	}
	return 1
}

func tiffOrientation(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(tiff) < 8 {
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			if v := order.Uint16(entries[8:]); v >= 1 && v <= 8 {
				return int(v)
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// orient turns a square picture as its orientation says.
func orient(img *image.RGBA, orientation int) {
	n := img.Bounds().Dx()
	from := image.NewRGBA(img.Bounds())
	copy(from.Pix, img.Pix)
	for y := range n {
		for x := range n {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = n - 1 - x
			case 3:
				sx, sy = n-1-x, n-1-y
			case 4:
				sy = n - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, n-1-x
			case 7:
				sx, sy = n-1-y, n-1-x
			case 8:
				sx, sy = n-1-y, x
			default:
				return
			}
			img.SetRGBA(x, y, from.RGBAAt(sx, sy))
		}
	}
}
