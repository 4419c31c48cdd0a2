package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

var aad = []byte("masters\nabc\n1")

func sealFile(t testing.TB, key FileKey, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, key, aad, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	if _, err := w.Write([]byte{1}); err == nil {
		t.Fatal("Write after Close")
	}
	return out.Bytes()
}

func openFile(key FileKey, aad []byte, r io.Reader) ([]byte, error) {
	f, err := NewReader(r, key, aad)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func TestFileRoundTrip(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 3 * ChunkSize, 3*ChunkSize + 5} {
		plain := pattern(n)
		file := sealFile(t, FileKey{7}, plain)
		if int64(len(file)) != SealedSize(int64(n)) {
			t.Errorf("%d bytes: sealed %d, SealedSize says %d", n, len(file), SealedSize(int64(n)))
		}
		for name, r := range map[string]io.Reader{
			"whole":   bytes.NewReader(file),
			"halves":  iotest.HalfReader(bytes.NewReader(file)),
			"dataErr": iotest.DataErrReader(bytes.NewReader(file)),
		} {
			got, err := openFile(FileKey{7}, aad, r)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, %s: %d bytes, %v", n, name, len(got), err)
			}
		}
	}
}

func TestFileWritesOfAnySize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, ChunkSize+10), 0, 6).Draw(t, "sizes")
		var out, want bytes.Buffer
		w, err := NewWriter(&out, FileKey{}, nil, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range sizes {
			p := pattern(n)
			want.Write(p)
			if m, err := w.Write(p); m != n || err != nil {
				t.Fatalf("Write = %d, %v", m, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := openFile(FileKey{}, nil, &out)
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("%d bytes of %d, %v", len(got), want.Len(), err)
		}
	})
}

func TestFileRefuses(t *testing.T) {
	t.Parallel()
	plain := pattern(2*ChunkSize + 100)
	good := sealFile(t, FileKey{}, plain)
	full := sealFile(t, FileKey{}, pattern(2*ChunkSize))
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	chunk := func(n int) int { return saltSize + n*sealed }

	for name, c := range map[string]struct {
		file []byte
		key  FileKey
		aad  []byte
	}{
		"wrong key":             {file: good, key: FileKey{1}, aad: aad},
		"wrong aad":             {file: good, aad: []byte("masters\nabc\n2")},
		"no aad":                {file: good},
		"empty":                 {file: nil, aad: aad},
		"half a salt":           {file: good[:8], aad: aad},
		"salt only":             {file: good[:saltSize], aad: aad},
		"cut at a chunk":        {file: good[:chunk(2)], aad: aad},
		"cut in a chunk":        {file: good[:chunk(1)+77], aad: aad},
		"cut in the last tag":   {file: good[:len(good)-1], aad: aad},
		"full last chunk cut":   {file: full[:chunk(1)], aad: aad},
		"byte behind":           {file: append(bytes.Clone(good), 0), aad: aad},
		"byte behind full last": {file: append(bytes.Clone(full), 0), aad: aad},
		"salt changed":          {file: edit(func(b []byte) []byte { b[0] ^= 1; return b }), aad: aad},
		"first chunk changed":   {file: edit(func(b []byte) []byte { b[chunk(0)] ^= 1; return b }), aad: aad},
		"last byte changed":     {file: edit(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), aad: aad},
		"chunks swapped": {file: edit(func(b []byte) []byte {
			first := bytes.Clone(b[chunk(0):chunk(1)])
			copy(b[chunk(0):], b[chunk(1):chunk(2)])
			copy(b[chunk(1):], first)
			return b
		}), aad: aad},
		"chunk left out": {file: edit(func(b []byte) []byte { return append(b[:chunk(0)], b[chunk(1):]...) }), aad: aad},
	} {
		got, err := openFile(c.key, c.aad, bytes.NewReader(c.file))
		if !errors.Is(err, ErrCiphertext) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(plain, got) {
			t.Errorf("%s: %d wrong bytes came out", name, len(got))
		}
	}
}

// An empty chunk at the end would be a second form of the same file.
func TestFileEmptyLastChunkRefused(t *testing.T) {
	t.Parallel()
	salt := make([]byte, saltSize)
	c, err := newChunker(FileKey{}, salt, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := c.aead.Seal(bytes.Clone(salt), c.use(false), pattern(ChunkSize), nil)
	file = c.aead.Seal(file, c.use(true), nil, nil)
	if _, err := openFile(FileKey{}, nil, bytes.NewReader(file)); !errors.Is(err, ErrCiphertext) {
		t.Errorf("got %v", err)
	}
}

func TestFilePassesReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	file := sealFile(t, FileKey{}, pattern(ChunkSize+1))
	_, err := openFile(FileKey{}, aad, io.MultiReader(bytes.NewReader(file[:100]), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || errors.Is(err, ErrCiphertext) {
		t.Errorf("got %v", err)
	}
}

type failAfter int

func (f *failAfter) Write(p []byte) (int, error) {
	if *f -= failAfter(len(p)); *f < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestFileWriteErrorStays(t *testing.T) {
	t.Parallel()
	dst := failAfter(1000)
	w, err := NewWriter(&dst, FileKey{}, nil, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(pattern(3 * ChunkSize)); err == nil {
		t.Error("Write to a full disk succeeded")
	}
	dst = math.MaxInt32
	if err := w.Close(); err == nil {
		t.Error("Close after a lost chunk succeeded")
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{})
	f.Add(sealFile(f, FileKey{}, nil))
	f.Add(sealFile(f, FileKey{}, []byte("plain")))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := openFile(FileKey{}, aad, bytes.NewReader(in))
		if err == nil && SealedSize(int64(len(got))) != int64(len(in)) {
			t.Fatalf("%d bytes from %d", len(got), len(in))
		}
		if err != nil && !errors.Is(err, ErrCiphertext) {
			t.Fatal(err)
		}
	})
}

func BenchmarkFile(b *testing.B) {
	plain := make([]byte, 4<<20)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		w, err := NewWriter(io.Discard, FileKey{}, aad, rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		w.Write(plain)
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
