package umbral

import (
	"bytes"
	"fmt"

	"github.com/cloudflare/circl/group"
)

// MessagePack as the reference writes it: a struct is a fixarray without field names, a byte string is bin8.
const (
	msgpackFixarray = 0x90
	msgpackFalse    = 0xc2
	msgpackTrue     = 0xc3
	msgpackBin8     = 0xc4
)

func appendArray(b []byte, n int) []byte { return append(b, msgpackFixarray|byte(n)) }

func appendBin(b, data []byte) []byte {
	b = append(b, msgpackBin8, byte(len(data)))
	return append(b, data...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, msgpackTrue)
	}
	return append(b, msgpackFalse)
}

// reader takes fields off an encoding and keeps the first failure, so that a layout reads as a list. With framed it
// expects MessagePack's headers, without it the plain concatenation.
type reader struct {
	rest   []byte
	framed bool
	err    error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrEncoding, what)
	}
	r.rest = nil
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.fail("too short")
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) expect(header ...byte) {
	if r.framed && !bytes.Equal(r.take(len(header)), header) {
		r.fail("not the canonical form")
	}
}

func (r *reader) array(n int) { r.expect(msgpackFixarray | byte(n)) }

func (r *reader) bin(n int) []byte {
	r.expect(msgpackBin8, byte(n))
	return r.take(n)
}

func (r *reader) bool() bool {
	switch r.take(1)[0] {
	case msgpackTrue:
		return true
	case msgpackFalse:
	default:
		r.fail("not a boolean")
	}
	return false
}

func (r *reader) id() (id [idSize]byte) {
	copy(id[:], r.bin(idSize))
	return id
}

func (r *reader) point() point {
	b := r.bin(pointSize)
	if r.err != nil {
		return point{}
	}
	p, err := parsePoint(b)
	r.err = err
	return p
}

func (r *reader) scalar() group.Scalar {
	b := r.bin(scalarSize)
	if r.err != nil {
		return nil
	}
	s, err := parseScalar(b)
	r.err = err
	return s
}

func (r *reader) signature() *Signature {
	b := r.bin(SignatureSize)
	if r.err != nil {
		return nil
	}
	s, err := ParseSignature(b)
	r.err = err
	return s
}

// end returns the first failure, which may be bytes left over.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) != 0 {
		r.fail("trailing bytes")
	}
	return r.err
}
