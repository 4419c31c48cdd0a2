package secp256k1

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/cloudflare/circl/group"
	oracle "github.com/decred/dcrd/dcrec/secp256k1/v4"
	"golang.org/x/crypto/cryptobyte"
	"pgregory.net/rapid"
)

func scalars() *rapid.Generator[*Scalar] {
	small := rapid.SampledFrom([]string{"0", "1", "2", "n-1", "n-2", "half", "half+1"})
	return rapid.Custom(func(t *rapid.T) *Scalar {
		if rapid.IntRange(0, 9).Draw(t, "edge") == 0 {
			one, half := big.NewInt(1), new(big.Int).Rsh(order(), 1)
			v := map[string]*big.Int{
				"0": new(big.Int), "1": one, "2": big.NewInt(2), "n-1": big.NewInt(-1), "n-2": big.NewInt(-2),
				"half": half, "half+1": new(big.Int).Add(half, one),
			}[small.Draw(t, "which")]
			return new(Scalar).SetBigInt(v).(*Scalar)
		}
		var b [ScalarSize]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), ScalarSize, ScalarSize).Draw(t, "bytes"))
		s, _ := Group.ReduceScalar(&b)
		return s
	})
}

func encoding(s group.Scalar) []byte {
	b, _ := s.MarshalBinary()
	return b
}

func toOracle(s group.Scalar) *oracle.ModNScalar {
	o := new(oracle.ModNScalar)
	o.SetByteSlice(encoding(s))
	return o
}

// sameScalar compares with another implementation's result.
func sameScalar(t *rapid.T, what string, got group.Scalar, want *oracle.ModNScalar) {
	t.Helper()
	if w := want.Bytes(); !bytes.Equal(encoding(got), w[:]) {
		t.Fatalf("%s: %x, want %x", what, encoding(got), w)
	}
}

func sameElement(t *rapid.T, what string, got group.Element, want *oracle.JacobianPoint) {
	t.Helper()
	if (want.X.IsZero() && want.Y.IsZero()) || want.Z.IsZero() {
		if !got.IsIdentity() {
			t.Fatalf("%s: %v, want the identity", what, got)
		}
		return
	}
	want.ToAffine()
	w := oracle.NewPublicKey(&want.X, &want.Y).SerializeCompressed()
	b, err := got.MarshalBinary()
	if err != nil || !bytes.Equal(b, w) {
		t.Fatalf("%s: %x, %v, want %x", what, b, err, w)
	}
}

func TestScalarsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := scalars().Draw(t, "x"), scalars().Draw(t, "y")
		ox, oy := toOracle(x), toOracle(y)
		n := Group.NewScalar
		sameScalar(t, "add", n().Add(x, y), new(oracle.ModNScalar).Add2(ox, oy))
		sameScalar(t, "sub", n().Sub(x, y), new(oracle.ModNScalar).NegateVal(oy).Add(ox))
		sameScalar(t, "mul", n().Mul(x, y), new(oracle.ModNScalar).Mul2(ox, oy))
		sameScalar(t, "neg", n().Neg(x), new(oracle.ModNScalar).NegateVal(ox))
		sameScalar(t, "inv", n().Inv(x), new(oracle.ModNScalar).InverseValNonConst(ox))
		if x.IsHigh() != ox.IsOverHalfOrder() {
			t.Fatalf("high: %v", x.IsHigh())
		}
		if x.IsZero() != ox.IsZero() || x.IsEqual(y) != ox.Equals(oy) {
			t.Fatal("zero or equal")
		}
		if got := n().SetBigInt(new(big.Int).SetBytes(encoding(x))); !got.IsEqual(x) {
			t.Fatalf("big: %x", encoding(got))
		}
		back := n()
		if err := back.UnmarshalBinary(encoding(x)); err != nil || !back.IsEqual(x) {
			t.Fatalf("encode and decode: %v", err)
		}
		var builder cryptobyte.Builder
		if err := x.Marshal(&builder); err != nil {
			t.Fatal(err)
		}
		str := cryptobyte.String(builder.BytesOrPanic())
		if back = n(); !back.Unmarshal(&str) || !back.IsEqual(x) || !str.Empty() {
			t.Fatal("marshal and unmarshal")
		}
		for b, want := range []group.Scalar{y, x} {
			if !n().CSelect(b, x, y).IsEqual(want) || !y.Copy().CMov(b, x).IsEqual(want) {
				t.Fatalf("select %d", b)
			}
		}
	})
}

func TestElementsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := scalars().Draw(t, "x"), scalars().Draw(t, "y")
		ox, oy := toOracle(x), toOracle(y)
		var op, oq, want oracle.JacobianPoint
		oracle.ScalarBaseMultNonConst(ox, &op)
		oracle.ScalarBaseMultNonConst(oy, &oq)
		n := Group.NewElement
		p, q := n().MulGen(x), n().MulGen(y)
		sameElement(t, "mul generator", p, &op)
		sameElement(t, "mul generator, slowly", n().Mul(Group.Generator(), x), &op)

		oracle.AddNonConst(&op, &oq, &want)
		sameElement(t, "add", n().Add(p, q), &want)
		sameElement(t, "double", n().Dbl(p), func() *oracle.JacobianPoint {
			oracle.DoubleNonConst(&op, &want)
			return &want
		}())
		if !n().Add(p, n().Neg(p)).IsIdentity() || !n().Add(p, Group.Identity()).IsEqual(p) {
			t.Fatal("negative or neutral element")
		}
		oracle.ScalarMultNonConst(oy, &op, &want)
		sameElement(t, "mul", n().Mul(p, y), &want)

		sum := n().Add(n().Mul(p, y), n().Mul(q, x))
		for name, got := range map[string]group.Element{
			"constant time": Group.MultiMul([]group.Scalar{y, x}, []group.Element{p, q}),
			"variable time": Group.MultiMulVartime([]group.Scalar{y, x}, []group.Element{p, q}),
		} {
			if !got.IsEqual(sum) {
				t.Fatalf("sum of products in %s", name)
			}
		}
		if !Group.GenMulAddVartime(x, y, q).IsEqual(n().Add(p, n().Mul(q, y))) {
			t.Fatal("generator multiplied and added")
		}
		for b, want := range []group.Element{q, p} {
			if !n().CSelect(b, p, q).IsEqual(want) || !q.Copy().CMov(b, p).IsEqual(want) {
				t.Fatalf("select %d", b)
			}
		}

		if b, err := p.MarshalBinaryCompress(); p.IsIdentity() {
			if !errors.Is(err, ErrElement) {
				t.Fatalf("the identity was encoded: %x", b)
			}
		} else if back := n(); err != nil || back.UnmarshalBinary(b) != nil || !back.IsEqual(p) {
			t.Fatalf("encode and decode: %v", err)
		}
	})
}

func TestReduceScalar(t *testing.T) {
	t.Parallel()
	n := order()
	for _, c := range []struct {
		in   *big.Int
		over int
	}{
		{new(big.Int), 0}, {new(big.Int).Sub(n, big.NewInt(1)), 0}, {n, 1}, {new(big.Int).Add(n, big.NewInt(1)), 1},
		{new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), 1},
	} {
		var b [ScalarSize]byte
		c.in.FillBytes(b[:])
		s, over := Group.ReduceScalar(&b)
		if want := new(big.Int).Mod(c.in, n); over != c.over || new(big.Int).SetBytes(encoding(s)).Cmp(want) != 0 {
			t.Errorf("%x: %x, %d", b, encoding(s), over)
		}
	}
}

func TestDrawScalar(t *testing.T) {
	t.Parallel()
	tooLarge, seven := bytes.Repeat([]byte{0xff}, ScalarSize), append(make([]byte, ScalarSize-1), 7)
	rnd := bytes.NewReader(append(tooLarge, seven...))
	s, err := Group.DrawScalar(rnd)
	if err != nil || !s.IsEqual(new(Scalar).SetUint64(7)) || rnd.Len() != 0 {
		t.Errorf("drew %x, %v", encoding(s), err)
	}
	if _, err := Group.DrawScalar(rnd); err == nil {
		t.Error("drew from nothing")
	}
	if got := Group.RandomNonZeroScalar(bytes.NewReader(append(make([]byte, ScalarSize), seven...))); !got.IsEqual(s) {
		t.Errorf("drew %x", encoding(got))
	}
	if Group.RandomElement(bytes.NewReader(seven)).IsIdentity() {
		t.Error("the random element is the identity")
	}
}

// TestHash uses RFC 9380, appendix J.8.1 and J.8.2, the empty message.
func TestHash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		element group.Element
		x       string
	}{
		{"random oracle", Group.HashToElement(nil, []byte("QUUX-V01-CS02-with-secp256k1_XMD:SHA-256_SSWU_RO_")),
			"c1cae290e291aee617ebaef1be6d73861479c48b841eaba9b7b5852ddfeb1346"},
		{"non-uniform", Group.HashToElementNonUniform(nil, []byte("QUUX-V01-CS02-with-secp256k1_XMD:SHA-256_SSWU_NU_")),
			"a4792346075feae77ac3b30026f99c1441b4ecf666ded19b7522cf65c4c55c5b"},
	} {
		b, err := c.element.MarshalBinary()
		if err != nil || hex.EncodeToString(b[1:]) != c.x {
			t.Errorf("%s: %x, %v", c.name, b, err)
		}
	}
	a, b := Group.HashToScalar([]byte("a"), []byte("tag")), Group.HashToScalar([]byte("b"), []byte("tag"))
	if a.IsEqual(b) || a.IsEqual(Group.HashToScalar([]byte("a"), []byte("gat"))) || a.IsZero() {
		t.Error("hashes to scalars do not differ")
	}
}

func TestStrictDecoding(t *testing.T) {
	t.Parallel()
	g, err := Group.Generator().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	with := func(tag byte, x string) []byte {
		b, err := hex.DecodeString(x)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{tag}, b...)
	}
	const p = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
	uncompressed, err := oracle.ParsePubKey(g)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "identity": {0}, "identity, padded": make([]byte, ElementSize), "short": g[:32],
		"trailing byte": append(bytes.Clone(g), 0), "uncompressed": uncompressed.SerializeUncompressed(),
		"tag 04": with(4, hex.EncodeToString(g[1:])), "tag 05": with(5, hex.EncodeToString(g[1:])),
		"x not on the curve": with(2, strings.Repeat("0", 64)), "x = p": with(2, p),
		"x = p + 1": with(2, p[:63]+"0"),
	} {
		e := Group.Generator()
		if err := e.UnmarshalBinary(b); !errors.Is(err, ErrElement) || !e.IsEqual(Group.Generator()) {
			t.Errorf("element, %s: %v", name, err)
		}
	}
	n := order().Bytes()
	for name, b := range map[string][]byte{
		"nothing": {}, "short": n[:31], "long": append([]byte{0}, n...), "n": n, "2^256 - 1": bytes.Repeat([]byte{0xff}, 32),
	} {
		s := new(Scalar).SetUint64(5)
		if err := s.UnmarshalBinary(b); !errors.Is(err, ErrScalar) || !s.IsEqual(new(Scalar).SetUint64(5)) {
			t.Errorf("scalar, %s: %v", name, err)
		}
	}
}

func TestScalarsAreRedacted(t *testing.T) {
	t.Parallel()
	s := new(Scalar).SetUint64(0xabcdef).(*Scalar)
	for _, shown := range []string{s.String(), s.LogValue().String(), fmt.Sprint(s), fmt.Sprintf("%v %s", s, s)} {
		if strings.Contains(shown, "abcdef") || !strings.Contains(shown, "[redacted]") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func FuzzElement(f *testing.F) {
	g, _ := Group.Generator().MarshalBinary()
	f.Add(g)
	f.Add([]byte{0})
	f.Add(make([]byte, ElementSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := Group.NewElement()
		err := e.UnmarshalBinary(b)
		_, oracleErr := oracle.ParsePubKey(b)
		if want := oracleErr == nil && len(b) == ElementSize; want != (err == nil) {
			t.Fatalf("%x: %v, the oracle says %v", b, err, oracleErr)
		}
		if err != nil {
			return
		}
		if back, err := e.MarshalBinary(); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%x encodes to %x, %v", b, back, err)
		}
	})
}
