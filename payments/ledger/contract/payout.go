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
	due, err := p.due(s, final.Node)
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

// maxTotals is how many statements one payout may draw on.
const maxTotals = 36

// due is what the node owes the artist, with the totals that are proved only now.
func (p Payout) due(s State, node string) (royalty.Micro, error) {
	due, _, err := get[royalty.Micro](s, dueKey(node, p.Artist))
	if err != nil {
		return 0, err
	}
	if len(p.Totals) > maxTotals {
		return 0, fmt.Errorf("%w: %d totals", ErrInvalid, len(p.Totals))
	}
	proved := map[royalty.Month]bool{}
	for _, t := range p.Totals {
		if proved[t.Month] {
			return 0, fmt.Errorf("%w: the total of %s", ErrDuplicate, t.Month)
		}
		proved[t.Month] = true
		total, err := p.prove(s, node, t)
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
func (p Payout) prove(s State, node string, t TotalProof) (royalty.Micro, error) {
	final, found, err := get[Statement](s, finalKey(t.Month, node))
	if err != nil {
		return 0, err
	}
	if !found || int64(len(final.Artists)) == final.ArtistCount {
		return 0, fmt.Errorf("%w: no final statement of %s with a root alone", ErrUnknown, t.Month)
	}
	if _, withheld, err := s.Get(withheldKey(t.Month, node, p.Artist)); err != nil {
		return 0, err
	} else if withheld {
		return 0, fmt.Errorf("%w: the artist's slice of %s is withheld", ErrState, t.Month)
	}
	key := "credited/" + string(t.Month) + "/" + node + "/" + p.Artist
	if _, twice, err := s.Get(key); err != nil {
		return 0, err
	} else if twice {
		return 0, fmt.Errorf("%w: %s", ErrDuplicate, key)
	}
	total, err := final.total(p.Artist, &t)
	if err != nil {
		return 0, err
	}
	return total, put(s, key, total)
}

// Correction mends what a node stated of an earlier month: nothing is ever edited. Entries below zero are netted against
// later payouts; what was paid is never taken back, so that an artist's balance may be below zero for a while, but no
// payout is.
type Correction struct {
	Node string `json:"node"`
	// ID names the correction among the node's.
	ID string `json:"id"`
	// Month is the one whose final statement is mended.
	Month royalty.Month `json:"month"`
	// About says why, and what the entries have to add up to: About Mistake to nothing, About Dispute to what the dispute
	// named by Subject withheld, About Chargeback to no less than minus the pool's part of the subscription of the
	// pseudonym that Subject is, and to no more than nothing.
	About   string `json:"about"`
	Subject string `json:"subject"`
	// Operator is what the node itself gives (below zero) or gets.
	Operator royalty.Micro `json:"operator"`
	// Entries stand in the order of the artists' hashes.
	Entries []ArtistTotal `json:"entries"`
}

// What a correction is about.
const (
	AboutMistake    = "mistake"
	AboutDispute    = "dispute"
	AboutChargeback = "chargeback"
)

// Call implements [Command].
func (c Correction) Call() (string, any, error) { return correct, c, nil }

const correct = "correct"

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func correctionKey(node, id string) string { return "correction/" + node + "/" + id }

func (c Correction) run(s State) error {
	if _, err := authorize(s, c.Node); err != nil {
		return err
	}
	if !idForm.MatchString(c.ID) {
		return fmt.Errorf("%w: id %.70q", ErrInvalid, c.ID)
	}
	if err := batch(len(c.Entries)); err != nil {
		return err
	}
	if _, found, err := s.Get(finalKey(c.Month, c.Node)); err != nil {
		return err
	} else if !found {
		return fmt.Errorf("%w: no final statement of %s by %s", ErrUnknown, c.Month, c.Node)
	}
	if royalty.MonthOf(s.Time()) <= c.Month {
		return fmt.Errorf("%w: %s is mended in a later month", ErrEarly, c.Month)
	}
	// The same dispute or chargeback is settled once, under whatever id.
	keys := []string{correctionKey(c.Node, c.ID)}
	if c.About != AboutMistake {
		keys = append(keys, "corrected/"+c.Node+"/"+string(c.Month)+"/"+c.About+"/"+c.Subject)
	}
	for _, key := range keys {
		if _, twice, err := s.Get(key); err != nil {
			return err
		} else if twice {
			return fmt.Errorf("%w: %s", ErrDuplicate, key)
		}
	}
	if err := c.checkSum(s); err != nil {
		return err
	}
	for i, t := range c.Entries {
		if err := credit(s, c.Node, t); err != nil {
			return &LineError{i, err}
		}
	}
	if err := put(s, keys[0], c); err != nil {
		return err
	}
	for _, key := range keys[1:] {
		if err := s.Put(key, c.ID); err != nil {
			return err
		}
	}
	return emit(s, correct, notice{Node: c.Node, Month: c.Month, ID: c.ID})
}

func (c Correction) checkSum(s State) error {
	sum, err := sumOf(c.Entries, -MaxMicro)
	if err != nil {
		return err
	}
	if sum, err = add(sum, c.Operator); err != nil {
		return err
	}
	var least, most royalty.Micro
	switch c.About {
	case AboutMistake:
		if c.Subject != "" {
			return fmt.Errorf("%w: a mistake has no subject", ErrInvalid)
		}
	case AboutDispute:
		d, err := disputeOf(s, c.Subject)
		if err != nil {
			return err
		}
		_, withheld, err := s.Get(withheldKey(c.Month, c.Node, d.Artist))
		if err != nil {
			return err
		}
		if d.Node != c.Node || d.Month != c.Month || d.State != Final || !withheld {
			return fmt.Errorf("%w: dispute %s withheld nothing, or is not final", ErrState, d.ID)
		}
		for _, t := range c.Entries {
			if kept := d.Ruling.Verdict == Keep; (kept && t.Artist != d.Artist) || (d.Ruling.Verdict == Remove && t.Artist == d.Artist) {
				return fmt.Errorf("%w: the ruling is to %s", ErrState, d.Ruling.Verdict)
			}
		}
		least, most = d.Slice, d.Slice
	case AboutChargeback:
		r, found, err := get[reversed](s, chargebackPrefix(c.Month, c.Node)+c.Subject)
		if err != nil {
			return err
		}
		if !found || !r.Late {
			return fmt.Errorf("%w: no chargeback after the report", ErrUnknown)
		}
		least = -royalty.Fee
	default:
		return fmt.Errorf("%w: a correction is about a mistake, a dispute or a chargeback", ErrInvalid)
	}
	if sum < least || sum > most {
		return fmt.Errorf("%w: entries add up to %s, not to %s to %s", ErrSum, sum, least, most)
	}
	return nil
}
