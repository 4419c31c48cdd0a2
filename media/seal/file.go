package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed file is
//
//	salt (16) || chunk 0 || chunk 1 || ... || last chunk
//	key   = HKDF-SHA256(FileKey, salt, info "antiphon/file/v1", 32)
//	nonce = chunk number, 11 bytes big-endian || 1 if it is the last chunk, else 0
//	chunk = ChaCha20-Poly1305(key, nonce, up to 65,536 bytes of plaintext, AAD)
//
// Every chunk but the last holds exactly 65,536 bytes; the last holds at least
// one, unless the file is empty. The salt lets the same FileKey seal a file
// again, after a new encoding of a track for example.
const (
	// ChunkSize is the number of plaintext bytes in each chunk but the last.
	ChunkSize = 64 << 10

	saltSize = 16
	fileInfo = "antiphon/file/v1"
	overhead = chacha20poly1305.Overhead
	sealed   = ChunkSize + overhead
)

// SealedSize is the length of a sealed file of n bytes of plaintext.
func SealedSize(n int64) int64 {
	chunks := max(1, (n+ChunkSize-1)/ChunkSize)
	return saltSize + n + chunks*overhead
}

// chunker seals or opens the chunks of one file in order.
type chunker struct {
	aead  cipher.AEAD
	aad   []byte
	nonce [chacha20poly1305.NonceSize]byte
	last  bool
}

func newChunker(key FileKey, salt, aad []byte) (*chunker, error) {
	k, err := hkdf.Key(sha256.New, key[:], salt, fileInfo, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive file key: %w", err)
	}
	aead, err := chacha20poly1305.New(k)
	if err != nil {
		return nil, fmt.Errorf("file cipher: %w", err)
	}
	return &chunker{aead: aead, aad: append([]byte(nil), aad...)}, nil
}

// use returns the nonce of the next chunk and counts it. 88 bits of counter
// cannot run out.
func (c *chunker) use(last bool) []byte {
	nonce := c.nonce
	if last {
		nonce[len(nonce)-1] = 1
		c.last = true
	}
	for i := len(c.nonce) - 2; i >= 0; i-- {
		c.nonce[i]++
		if c.nonce[i] != 0 {
			break
		}
	}
	return nonce[:]
}

// Writer seals what is written to it. Close it, or the file cannot be opened.
type Writer struct {
	dst io.Writer
	c   *chunker
	buf []byte // plaintext of the chunk being filled; room for the tag behind it
	err error
}

// NewWriter writes the head of a sealed file to dst and returns a Writer for
// its contents. The same aad must be given to NewReader; it is not stored.
func NewWriter(dst io.Writer, key FileKey, aad []byte, random io.Reader) (*Writer, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("read file salt: %w", err)
	}
	c, err := newChunker(key, salt, aad)
	if err != nil {
		return nil, err
	}
	if _, err := dst.Write(salt); err != nil {
		return nil, fmt.Errorf("write file head: %w", err)
	}
	return &Writer{dst: dst, c: c, buf: make([]byte, 0, sealed)}, nil
}

// Write seals p, chunk by chunk.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	total := len(p)
	for len(p) > 0 {
		// A full chunk is sealed only when more follows: the last one is marked.
		if len(w.buf) == ChunkSize {
			if err := w.flush(false); err != nil {
				return total - len(p), err
			}
		}
		n := min(len(p), ChunkSize-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p = p[n:]
	}
	return total, nil
}

// Close seals the last chunk. It does not close the destination. Closing again
// does nothing.
func (w *Writer) Close() error {
	if errors.Is(w.err, errClosed) {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	err := w.flush(true)
	if err == nil {
		w.err = errClosed
	}
	return err
}

var errClosed = errors.New("seal: writer is closed")

func (w *Writer) flush(last bool) error {
	out := w.c.aead.Seal(w.buf[:0], w.c.use(last), w.buf, w.c.aad)
	if _, err := w.dst.Write(out); err != nil {
		w.err = fmt.Errorf("write sealed chunk: %w", err)
		return w.err
	}
	w.buf = w.buf[:0]
	return nil
}

// Reader opens a sealed file. It hands out only bytes of chunks that were
// authenticated, and ends with io.EOF only after the marked last chunk.
type Reader struct {
	src   io.Reader
	c     *chunker
	buf   []byte // a sealed chunk
	out   []byte // room for an opened one
	plain []byte // what is left of it
	err   error
}

// NewReader reads the head of a sealed file and returns a Reader for its
// contents. A file that is damaged, cut short or sealed under another key or
// aad gives ErrCiphertext, here or from Read.
func NewReader(src io.Reader, key FileKey, aad []byte) (*Reader, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(src, salt); err != nil {
		return nil, cut(err)
	}
	c, err := newChunker(key, salt, aad)
	if err != nil {
		return nil, err
	}
	return &Reader{src: src, c: c, buf: make([]byte, sealed), out: make([]byte, 0, ChunkSize)}, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.plain) == 0 && r.err == nil {
		r.err = r.open()
	}
	if len(r.plain) > 0 {
		n := copy(p, r.plain)
		r.plain = r.plain[n:]
		return n, nil
	}
	return 0, r.err
}

// open reads and opens the next chunk.
func (r *Reader) open() error {
	if r.c.last {
		if n, err := io.ReadFull(r.src, r.buf[:1]); n > 0 {
			return fmt.Errorf("%w: data after the end", ErrCiphertext)
		} else if err != io.EOF {
			return fmt.Errorf("read sealed chunk: %w", err)
		}
		return io.EOF
	}
	first := r.c.nonce == [chacha20poly1305.NonceSize]byte{}
	n, err := io.ReadFull(r.src, r.buf)
	switch {
	case err == nil:
		// A full chunk may be the last one too: its nonce tells.
		in := r.buf[:n]
		nonce := r.c.use(false)
		if r.plain, err = r.c.aead.Open(r.out, nonce, in, r.c.aad); err == nil {
			return nil
		}
		nonce[len(nonce)-1] = 1
		r.c.last = true
		if r.plain, err = r.c.aead.Open(r.out, nonce, in, r.c.aad); err != nil {
			return ErrCiphertext
		}
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.plain, err = r.c.aead.Open(r.out, r.c.use(true), r.buf[:n], r.c.aad)
		if err != nil || len(r.plain) == 0 && !first {
			r.plain = nil
			return ErrCiphertext
		}
		return nil
	default:
		return cut(err)
	}
}

// cut maps an early end of input to ErrCiphertext and keeps other errors.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: cut short", ErrCiphertext)
	}
	return fmt.Errorf("read sealed file: %w", err)
}
