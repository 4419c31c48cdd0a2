// Package ipfstest is the conformance suite of media/ipfs stores, and the real Kubo daemon that one of them is tried on.
//
// It is for tests only. Call Run with a function that opens a fresh store; call Daemon for the address of a daemon.
package ipfstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"antiphon/media/ipfs"
)

// Run tries every promise of ipfs.Store on the stores that open gives, which it closes. They may share what they keep:
// the suite's tests run side by side on content of their own. At the start none of that content may be there.
func Run(t *testing.T, open func(t *testing.T) ipfs.Store) {
	for _, tc := range []struct {
		name string
		try  func(*testing.T, ipfs.Store)
	}{
		{"block", block},
		{"block bounds", blockBounds},
		{"absent", absent},
		{"refused cids", refusedCIDs},
		{"known cids", knownCIDs},
		{"file", file},
		{"file seek", fileSeek},
		{"file that breaks off", fileBreaksOff},
		{"files that share blocks", filesThatShare},
		{"block inside a file", blockInsideFile},
		{"many at once", manyAtOnce},
		{"canceled", canceled},
		{"car", car},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			tc.try(t, s)
		})
	}
}

// Bytes are n bytes that look random and depend only on seed.
func Bytes(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

func block(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	want := Bytes(1, 70_000)
	c, err := s.Put(ctx, want)
	if err != nil {
		t.Fatal(err)
	}
	if c != ipfs.CIDOf(want) {
		t.Errorf("put gave %s, CIDOf %s", c, ipfs.CIDOf(want))
	}
	again, err := s.Put(ctx, want)
	if err != nil || again != c {
		t.Errorf("second put: %s, %v", again, err)
	}
	wantBlock(t, s, c, want)
	if n, err := s.Size(ctx, c); err != nil || n != int64(len(want)) {
		t.Errorf("size %d, %v", n, err)
	}
	if err := s.Delete(ctx, c); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, s, c)
	if err := s.Delete(ctx, c); err != nil {
		t.Errorf("second delete: %v", err)
	}
	if _, err := s.Put(ctx, want); err != nil {
		t.Fatal(err)
	}
	wantBlock(t, s, c, want)
}

func blockBounds(t *testing.T, s ipfs.Store) {
	for _, n := range []int{0, 1, ipfs.MaxBlock} {
		want := Bytes(2, n)
		c, err := s.Put(t.Context(), want)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		wantBlock(t, s, c, want)
	}
	tooLarge := Bytes(3, ipfs.MaxBlock+1)
	if _, err := s.Put(t.Context(), tooLarge); !errors.Is(err, ipfs.ErrTooLarge) {
		t.Errorf("put of 1 MiB + 1: %v", err)
	}
	wantAbsent(t, s, ipfs.CIDOf(tooLarge))
}

func absent(t *testing.T, s ipfs.Store) {
	c := ipfs.CIDOf(Bytes(4, 100))
	wantAbsent(t, s, c)
	if _, err := s.Size(t.Context(), c); !errors.Is(err, ipfs.ErrNotFound) {
		t.Errorf("size: %v", err)
	}
	if _, err := s.OpenFile(t.Context(), c); !errors.Is(err, ipfs.ErrNotFound) {
		t.Errorf("open: %v", err)
	}
	if err := s.Delete(t.Context(), c); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func refusedCIDs(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	for _, c := range []ipfs.CID{"", "x", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", "bafkqaaa", "/etc/passwd"} {
		_, getErr := s.Get(ctx, c)
		_, hasErr := s.Has(ctx, c)
		_, openErr := s.OpenFile(ctx, c)
		_, sizeErr := s.Size(ctx, c)
		for _, err := range []error{getErr, hasErr, openErr, sizeErr, s.Delete(ctx, c)} {
			if !errors.Is(err, ipfs.ErrBadCID) {
				t.Errorf("%q: %v", c, err)
			}
		}
	}
}

// knownCIDs are the answers of `ipfs add --cid-version=1 --raw-leaves` of Kubo 0.43.0 for Bytes(0, n).
func knownCIDs(t *testing.T, s ipfs.Store) {
	for _, tc := range []struct {
		size int
		want ipfs.CID
	}{
		{0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
		{1, "bafkreiazcuw57oqzhnnqt7fybun3uusi6nqcpqdoqftq3nnhcrx3mvgu5q"},
		{262_144, "bafkreigklkr2675vxpozcpfsghqgreqh7umqymzegyrkt5yjo6m4qz27hy"},
		{262_145, "bafybeibnujmsncrtrsokkzmxet5fn4y2xtqk6gznzidc2lpfx2dlotrkxe"},
		{1_000_000, "bafybeicp7h6gomemfnnwej7wkxk6dp4zmtv3su6dv5rjryvu2ttrnsx6mq"},
		{46_000_000, "bafybeicp4eldoqb5pr7kymyc4aghwtrq3tt7jtwe2nfg3jqdzjwrestkeq"}, // more than one node of 174 links
	} {
		c, n, err := s.AddFile(t.Context(), bytes.NewReader(Bytes(0, tc.size)))
		if err != nil || n != int64(tc.size) || c != tc.want {
			t.Errorf("%d bytes: %s, %d, %v; want %s", tc.size, c, n, err, tc.want)
		}
	}
}

func file(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	for _, n := range []int{0, 3, 262_144, 262_145, 3_000_000} {
		want := Bytes(5, n)
		c, size, err := s.AddFile(ctx, iotest.HalfReader(bytes.NewReader(want)))
		if err != nil || size != int64(n) {
			t.Fatalf("%d bytes: size %d, %v", n, size, err)
		}
		wantFile(t, s, c, want)
		if size, err := s.Size(ctx, c); err != nil || size != int64(n) {
			t.Errorf("%d bytes: size %d, %v", n, size, err)
		}
		if n == 0 {
			continue // other tests of the suite hold the empty block too
		}
		if err := s.Delete(ctx, c); err != nil {
			t.Fatal(err)
		}
		wantAbsent(t, s, c)
		for rest := want; len(rest) > 0; { // the leaves are gone as well as the root
			chunk := rest[:min(262_144, len(rest))]
			wantAbsent(t, s, ipfs.CIDOf(chunk))
			rest = rest[len(chunk):]
		}
	}
}

func fileSeek(t *testing.T, s ipfs.Store) {
	want := Bytes(6, 1_000_000)
	c, _, err := s.AddFile(t.Context(), bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.OpenFile(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, from := range []int64{999_999, 0, 262_143, 262_144, 700_000} {
		if at, err := f.Seek(from, io.SeekStart); err != nil || at != from {
			t.Fatalf("seek %d: %d, %v", from, at, err)
		}
		got, err := io.ReadAll(io.LimitReader(f, 1000))
		if err != nil || !bytes.Equal(got, want[from:min(from+1000, int64(len(want)))]) {
			t.Errorf("after seek to %d: %d bytes, %v", from, len(got), err)
		}
	}
	if at, err := f.Seek(0, io.SeekEnd); err != nil || at != int64(len(want)) {
		t.Errorf("seek to the end: %d, %v", at, err)
	}
}

func fileBreaksOff(t *testing.T, s ipfs.Store) {
	broken := errors.New("the upload broke off")
	for _, n := range []int{1000, 600_000, 9_000_000} {
		_, _, err := s.AddFile(t.Context(), io.MultiReader(bytes.NewReader(Bytes(7, n)), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func filesThatShare(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	start := Bytes(8, 2*262_144)
	one, two := append(start[:len(start):len(start)], "one"...), append(start[:len(start):len(start)], "two"...)
	c1, _, err := s.AddFile(ctx, bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	c2, _, err := s.AddFile(ctx, bytes.NewReader(two))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, c1); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, s, c1)
	wantAbsent(t, s, ipfs.CIDOf([]byte("one")))
	wantFile(t, s, c2, two)
	// A leaf is not a holding of its own: letting go of it takes nothing from the file.
	if err := s.Delete(ctx, ipfs.CIDOf(start[:262_144])); err != nil {
		t.Fatal(err)
	}
	wantFile(t, s, c2, two)
	if err := s.Delete(ctx, c2); err != nil {
		t.Fatal(err)
	}
	wantAbsent(t, s, ipfs.CIDOf(start[:262_144]))
}

func blockInsideFile(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	data := Bytes(9, 300_000)
	leaf := data[:262_144]
	if _, err := s.Put(ctx, leaf); err != nil {
		t.Fatal(err)
	}
	c, _, err := s.AddFile(ctx, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, c); err != nil {
		t.Fatal(err)
	}
	wantBlock(t, s, ipfs.CIDOf(leaf), leaf)
}

func manyAtOnce(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range uint64(8) {
		wg.Go(func() {
			mine, shared := Bytes(100+i, 5000), Bytes(99, 5000)
			c, err := s.Put(ctx, mine)
			if err != nil {
				t.Error(err)
				return
			}
			wantBlock(t, s, c, mine)
			if _, err := s.Put(ctx, shared); err != nil {
				t.Error(err)
			}
			f, _, err := s.AddFile(ctx, bytes.NewReader(Bytes(98, 400_000)))
			if err != nil {
				t.Error(err)
				return
			}
			wantFile(t, s, f, Bytes(98, 400_000))
			if err := s.Delete(ctx, c); err != nil {
				t.Error(err)
			}
			wantAbsent(t, s, c)
		})
	}
	wg.Wait()
	wantBlock(t, s, ipfs.CIDOf(Bytes(99, 5000)), Bytes(99, 5000))
}

func canceled(t *testing.T, s ipfs.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	data := Bytes(10, 1_000_000)
	c, _, err := s.AddFile(ctx, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.OpenFile(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cancel()
	if _, err := io.ReadAll(f); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if _, err := s.Put(ctx, []byte("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Get(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := s.AddFile(ctx, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
		t.Errorf("add: %v", err)
	}
	if err := s.Delete(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("delete: %v", err)
	}
	wantFile(t, s, c, data)
}

func wantBlock(t *testing.T, s ipfs.Store, c ipfs.CID, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("get %s: %d bytes of %d, %v", c, len(got), len(want), err)
	}
	if ok, err := s.Has(t.Context(), c); err != nil || !ok {
		t.Errorf("has %s: %t, %v", c, ok, err)
	}
}

func wantAbsent(t *testing.T, s ipfs.Store, c ipfs.CID) {
	t.Helper()
	if _, err := s.Get(t.Context(), c); !errors.Is(err, ipfs.ErrNotFound) {
		t.Errorf("get %s, which should be gone: %v", c, err)
	}
	if ok, err := s.Has(t.Context(), c); err != nil || ok {
		t.Errorf("has %s, which should be gone: %t, %v", c, ok, err)
	}
}

func wantFile(t *testing.T, s ipfs.Store, c ipfs.CID, want []byte) {
	t.Helper()
	f, err := s.OpenFile(t.Context(), c)
	if err != nil {
		t.Errorf("open %s: %v", c, err)
		return
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %s: %d bytes of %d, %v", c, len(got), len(want), err)
	}
}

func car(t *testing.T, s ipfs.Store) {
	ctx := t.Context()
	// A chunk that comes twice is written once.
	data := bytes.Repeat(Bytes(11, 262_144), 2)
	data = append(data, "tail"...)
	c, _, err := s.AddFile(ctx, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := ipfs.WriteCAR(ctx, s, c, &out); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), data[:262_144]); n != 1 {
		t.Errorf("the repeated chunk is in the archive %d times", n)
	}
	if !bytes.HasSuffix(out.Bytes(), []byte("tail")) || !bytes.Contains(out.Bytes(), c.Bytes()) {
		t.Error("root or last leaf is missing from the archive")
	}
	out.Reset()
	if err := ipfs.WriteCAR(ctx, s, ipfs.CIDOf(Bytes(12, 10)), &out); !errors.Is(err, ipfs.ErrNotFound) || out.Len() != 0 {
		t.Errorf("archive of an absent block: %v, %d bytes written", err, out.Len())
	}
}
