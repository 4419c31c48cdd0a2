package ipfs

import (
	"fmt"

	"github.com/ipfs/go-cid"
)

// cid is the library's form of a CID that is known to be good.
func (c CID) cid() cid.Cid {
	k, err := c.parsed()
	if err != nil {
		return cid.Undef
	}
	return k
}

// parsed is the library's form of a CID from outside.
func (c CID) parsed() (cid.Cid, error) {
	raw := c.Bytes()
	if raw == nil {
		return cid.Undef, fmt.Errorf("%w: %.80q", ErrBadCID, string(c))
	}
	return cid.Cast(raw)
}

// fromCid is the strict form of a library's CID, which may come from a foreign node's links.
func fromCid(k cid.Cid) (CID, error) {
	if k.Version() != 1 {
		return "", fmt.Errorf("%w: %s", ErrBadCID, k)
	}
	return ParseCID(k.String())
}
