package cover

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"
)

// square cuts the middle out and brings it down to side.
func square(src image.Image, side int) *image.RGBA {
	bounds := src.Bounds()
	edge := min(bounds.Dx(), bounds.Dy())
	middle := image.Rect(0, 0, edge, edge).
		Add(bounds.Min).Add(image.Pt((bounds.Dx()-edge)/2, (bounds.Dy()-edge)/2))
	side = min(side, edge)
	// The fine scaling needs 32 bytes for each source line and column of the
	// result, 240 MB for the largest picture: most of the way is done plainly.
	if wide, ok := src.(image.RGBA64Image); ok && edge >= 2*side {
		src = average(wide, middle, edge/side)
		middle = src.Bounds()
	}
	dst := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, middle, draw.Over, nil)
	return dst
}

// average makes one pixel of each n x n, and drops what is left at the ends.
func average(src image.RGBA64Image, r image.Rectangle, n int) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, r.Dx()/n, r.Dy()/n))
	area := uint64(n*n) << 8 // and from 16 bits to 8
	for y := range dst.Rect.Dy() {
		for x := range dst.Rect.Dx() {
			var red, green, blue, alpha uint64
			for sy := r.Min.Y + y*n; sy < r.Min.Y+(y+1)*n; sy++ {
				for sx := r.Min.X + x*n; sx < r.Min.X+(x+1)*n; sx++ {
					c := src.RGBA64At(sx, sy)
					red += uint64(c.R)
					green += uint64(c.G)
					blue += uint64(c.B)
					alpha += uint64(c.A)
				}
			}
			dst.SetRGBA(x, y, color.RGBA{uint8(red / area), uint8(green / area), uint8(blue / area), uint8(alpha / area)})
		}
	}
	return dst
}
