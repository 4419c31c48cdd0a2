package umbral

import (
	"bytes"
	"testing"
)

// Each decoder takes one form only: what it accepts, it writes back to the same bytes.

func fuzzDecoder(f *testing.F, seeds [][]byte, decode func([]byte) ([]byte, error)) {
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(seed[:len(seed)-1])
		f.Add(append(bytes.Clone(seed), 0))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := decode(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x is also written %x", b, again)
		}
	})
}

func FuzzCapsule(f *testing.F) {
	c := loadVectors(f).Cases[3]
	fuzzDecoder(f, [][]byte{c.CapsuleSimple}, func(b []byte) ([]byte, error) {
		v, err := ParseCapsule(b)
		if err != nil {
			return nil, err
		}
		return v.Bytes(), nil
	})
}

func FuzzCapsuleMessagePack(f *testing.F) {
	c := loadVectors(f).Cases[3]
	fuzzDecoder(f, [][]byte{c.CapsuleMsgpack}, func(b []byte) ([]byte, error) {
		v, err := ParseCapsuleMessagePack(b)
		if err != nil {
			return nil, err
		}
		return v.MessagePack(), nil
	})
}

func FuzzKeyFrag(f *testing.F) {
	v := loadVectors(f)
	seeds := [][]byte{v.Cases[3].KFrags[0]}
	for _, n := range v.Negative {
		if n.Op == "kfrag_verify" {
			seeds = append(seeds, n.KFrag)
		}
	}
	fuzzDecoder(f, seeds, func(b []byte) ([]byte, error) {
		v, err := ParseKeyFrag(b)
		if err != nil {
			return nil, err
		}
		return v.Bytes(), nil
	})
}

func FuzzCapsuleFrag(f *testing.F) {
	c := loadVectors(f).Cases[3]
	fuzzDecoder(f, [][]byte{c.CFragsSimple[0]}, func(b []byte) ([]byte, error) {
		v, err := ParseCapsuleFrag(b)
		if err != nil {
			return nil, err
		}
		return v.Bytes(), nil
	})
}

func FuzzCapsuleFragMessagePack(f *testing.F) {
	c := loadVectors(f).Cases[3]
	fuzzDecoder(f, [][]byte{c.CFrags[0]}, func(b []byte) ([]byte, error) {
		v, err := ParseCapsuleFragMessagePack(b)
		if err != nil {
			return nil, err
		}
		return v.MessagePack(), nil
	})
}

func FuzzSignature(f *testing.F) {
	v := loadVectors(f).Signatures[0]
	fuzzDecoder(f, [][]byte{v.RS}, func(b []byte) ([]byte, error) {
		sig, err := ParseSignature(b)
		if err != nil {
			return nil, err
		}
		return sig.Bytes(), nil
	})
}
