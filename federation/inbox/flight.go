package inbox

import (
	"errors"
	"io"
	"sync/atomic"
)

// chunk is by how much the space for a body grows; most activities fit into one.
const chunk = 8 << 10

// errFull says that there is no more room for bodies.
var errFull = errors.New("too much is in flight")

// flight bounds what all bodies that are being taken hold of memory, in bytes.
type flight struct {
	limit int64
	held  atomic.Int64
}

func (f *flight) take(n int64) bool {
	if f.held.Add(n) > f.limit {
		f.held.Add(-n)
		return false
	}
	return true
}

// read reads a body to its end, and takes room only for what has come: who sends slowly holds little. land gives the room
// back; it is called in every case.
func (f *flight) read(r io.Reader) (body []byte, land func(), err error) {
	var room int64
	land = func() { f.held.Add(-room) }
	for {
		if int64(len(body)) == room {
			more := max(chunk, room) // doubling, as the copying needs
			if !f.take(more) {
				return nil, land, errFull
			}
			room += more
			grown := make([]byte, len(body), room)
			copy(grown, body)
			body = grown
		}
		n, err := r.Read(body[len(body):room])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, land, nil
		}
		if err != nil {
			return nil, land, err
		}
	}
}
