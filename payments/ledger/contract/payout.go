package contract

import (
	"fmt"
	"regexp"

	"antiphon/payments/amount"
	"antiphon/payments/royalty"
)

// Payouts are what a node has sent to artists on a final statement, at most MaxLines in a batch, each artist once a
// statement. What is below the policy's minimum stays owed and adds up, so that a payout may be of more than the
// statement's own month. A line that is refused refuses the whole batch with a LineError.
type Payouts struct {
	Node string `json:"node"`
	// Month is the final statement's.
	Month royalty.Month `json:"month"`
	Lines []Payout      `json:"lines"`
}

// Payout is what one artist was sent.
type Payout struct {
	// Artist is Digest("payee", actor URI).
	Artist string        `json:"artist"`
	Micro  royalty.Micro `json:"micro"`
	// Sent is what that came to in the smallest units of the asset that was sent.
	Sent     amount.Amount `json:"sent"`
	Provider string        `json:"provider"`
	// Ref is the provider's name of the transfer.
	Ref string `json:"ref"`
	// Totals prove the artist's totals in final statements that have only a root, each once, this one's or an earlier
	// one's: what is proved is owed from now on.
	Totals []TotalProof `json:"totals,omitempty"`
}

// Call implements [Command].
func (p Payouts) Call() (string, any, error) { return payOut, p, nil }

const payOut = "pay_out"

var refForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._/-]{0,127}$`)

func payoutKey(month royalty.Month, node, artist string) string {
	return "payout/" + string(month) + "/" + node + "/" + artist
}

// sent is a payout as it stands on the ledger.
type sent struct {
	Micro    royalty.Micro `json:"micro"`
	Sent     amount.Amount `json:"sent"`
	Provider string        `json:"provider"`
	Ref      string        `json:"ref"`
}

func (p Payouts) run(s State) error {
	if _, err := authorize(s, p.Node); err != nil {
		return err
	}
	if err := batch(len(p.Lines)); err != nil {
		return err
	}
	final, found, err := get[Statement](s, finalKey(p.Month, p.Node))
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: no final statement of %s by %s", ErrUnknown, p.Month, p.Node)
	}
	policy, err := policyOf(s, royalty.MonthOf(s.Time()))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, line := range p.Lines {
		if err := line.send(s, final, policy.Minimum, seen); err != nil {
			return &LineError{i, err}
		}
	}
	return emit(s, payOut, notice{Node: p.Node, Month: p.Month, Lines: len(p.Lines)})
}

func (p Payout) check(least royalty.Micro) error {
	if err := atLeastZero(p.Micro); err != nil {
		return err
	}
	asset, err := amount.ParseAsset(string(p.Sent.Asset))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	case asset != p.Sent.Asset || p.Sent.IsZero():
		return fmt.Errorf("%w: want a canonical amount above zero", ErrInvalid)
	case !hexHash.MatchString(p.Artist) || !nameForm.MatchString(p.Provider) || !refForm.MatchString(p.Ref):
		return fmt.Errorf("%w: want an artist's hash, a provider's name and its name of the transfer", ErrInvalid)
	case p.Micro == 0 || p.Micro < least:
		return fmt.Errorf("%w: less than %s is not paid out", ErrInvalid, least)
	}
	return nil
}

func (p Payout) send(s State, final Statement, least royalty.Micro, seen map[string]bool) error {
	if err := p.check(least); err != nil {
		return err
	}
	key := payoutKey(final.Month, final.Node, p.Artist)
	if _, twice, err := s.Get(key); err != nil {
		return err
	} else if twice || seen[key] {
		return fmt.Errorf("%w: %s", ErrDuplicate, key)
	}
	seen[key] = true
	due, err := dueWith(s, final.Node, p.Artist, p.Totals)
	if err != nil {
		return err
	}
	if p.Micro > due {
		return fmt.Errorf("%w: %s of %s", ErrOverdrawn, p.Micro, due)
	}
	if err := put(s, dueKey(final.Node, p.Artist), due-p.Micro); err != nil {
		return err
	}
	return put(s, key, sent{p.Micro, p.Sent, p.Provider, p.Ref})
}
