package royalty

import "fmt"

// Share is an artist's part of a track in basis points.
type Share struct {
	Artist string
	Points int64
}

// Credit divides plays of a track among its artists: plays times Unit, by the largest-remainder method, in the order of
// the shares. The points sum to 10,000.
func Credit(plays int64, shares []Share) ([]Heard, error) {
	weights := make([]uint64, len(shares))
	var sum int64
	for i, s := range shares {
		if s.Points < 1 || s.Points > 10_000 {
			return nil, fmt.Errorf("%w: %d basis points", ErrInvalid, s.Points)
		}
		sum += s.Points
		weights[i] = uint64(s.Points)
	}
	const most = 1 << 49 // so that the units of a month's lines can be summed
	if sum != 10_000 || plays < 0 || plays > most {
		return nil, fmt.Errorf("%w: %d plays in %d of 10,000 basis points", ErrInvalid, plays, sum)
	}
	parts, err := apportion(uint64(plays)*Unit, weights)
	if err != nil {
		return nil, err
	}
	heard := make([]Heard, len(shares))
	for i, s := range shares {
		heard[i] = Heard{Artist: s.Artist, Units: int64(parts[i])}
	}
	return heard, nil
}
