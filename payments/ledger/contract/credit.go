package contract

import (
	"fmt"

	"antiphon/payments/royalty"
)

// maxTotals is how many statements one payout may draw on.
const maxTotals = 36

func creditedKey(month royalty.Month, node, artist string) string {
	return "credited/" + string(month) + "/" + node + "/" + artist
}

// dueWith is what the node owes the artist, with the totals that are proved only now.
func dueWith(s State, node, artist string, totals []TotalProof) (royalty.Micro, error) {
	due, _, err := get[royalty.Micro](s, dueKey(node, artist))
	if err != nil {
		return 0, err
	}
	if len(totals) > maxTotals {
		return 0, fmt.Errorf("%w: %d totals", ErrInvalid, len(totals))
	}
	proved := map[royalty.Month]bool{}
	for _, t := range totals {
		if proved[t.Month] {
			return 0, fmt.Errorf("%w: the total of %s", ErrDuplicate, t.Month)
		}
		proved[t.Month] = true
		total, err := prove(s, node, artist, t)
		if err != nil {
			return 0, err
		}
		if due, err = add(due, total); err != nil {
			return 0, err
		}
	}
	return due, nil
}

// prove credits a total that a statement has only under its root, once, unless it is withheld.
func prove(s State, node, artist string, t TotalProof) (royalty.Micro, error) {
	final, found, err := get[Statement](s, finalKey(t.Month, node))
	if err != nil {
		return 0, err
	}
	if !found || int64(len(final.Artists)) == final.ArtistCount {
		return 0, fmt.Errorf("%w: no final statement of %s with a root alone", ErrUnknown, t.Month)
	}
	if _, withheld, err := s.Get(withheldKey(t.Month, node, artist)); err != nil {
		return 0, err
	} else if withheld {
		return 0, fmt.Errorf("%w: the artist's slice of %s is withheld", ErrState, t.Month)
	}
	key := creditedKey(t.Month, node, artist)
	if _, twice, err := s.Get(key); err != nil {
		return 0, err
	} else if twice {
		return 0, fmt.Errorf("%w: %s", ErrDuplicate, key)
	}
	total, err := final.total(artist, &t)
	if err != nil {
		return 0, err
	}
	return total, put(s, key, total)
}
