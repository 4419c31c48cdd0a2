package access_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/hls"
	"antiphon/media/ipfs"
)

// shelf is the instance that published some blocks.
type shelf map[string][]byte

func (s shelf) Block(_ context.Context, url string, _ int64) ([]byte, error) {
	if b, ok := s[url]; ok {
		return b, nil
	}
	return nil, errors.New("not there")
}

// publish puts a track of two segments on a shelf and returns its manifest's CID and a segment's.
func publish(t *testing.T, origin string) (on shelf, manifest, playlist, segment string) {
	t.Helper()
	on = shelf{}
	put := func(b []byte) string {
		cid := string(ipfs.CIDOf(b))
		on[origin+"/ipfs/"+cid] = b
		return cid
	}
	list := hls.Media{Rendition: "aac64", Init: put([]byte("init"))}
	for n, data := range []string{"sealed segment one", "sealed segment two"} {
		segment = put([]byte(data))
		list.Segments = append(list.Segments, hls.MediaSegment{CID: segment, IV: [16]byte{byte(n)}, Duration: 5 * time.Second, Size: int64(len(data))})
	}
	text, err := list.Marshal()
	must(t, err)
	playlist = put(text)
	text, err = hls.Master{Variants: []hls.Variant{list.Variant(playlist, hls.CodecAAC)}}.Marshal()
	must(t, err)
	return on, put(text), playlist, segment
}

func TestBlockServesWhatAGrantLeadsTo(t *testing.T) { each(t, blockServesWhatAGrantLeadsTo) }

func blockServesWhatAGrantLeadsTo(t *testing.T, database fresh) {
	const origin = "https://s.example"
	on, manifest, playlist, segment := publish(t, origin)
	i := open(t, database, "https://b.example", false)
	i.shelf = on
	ctx := t.Context()
	for name, cid := range map[string]string{"manifest": manifest, "segment": segment} {
		if _, err := i.Service.Block(ctx, ipfs.CID(cid)); !errors.Is(err, ipfs.ErrNotFound) {
			t.Errorf("%s before the grant: %v", name, err)
		}
	}
	must(t, i.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return media.Register(tx, media.Block{CID: manifest, Owner: origin + "/grants/1", Kind: media.KindManifest, Origin: origin, CreatedAt: i.now})
	}))
	// Many readers at once: whoever gets a playlist gets what it names.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, cid := range []string{manifest, playlist, segment} {
				b, err := i.Service.Block(ctx, ipfs.CID(cid))
				if err != nil || !ipfs.CID(cid).Matches(b) {
					t.Errorf("block %s: %v", cid, err)
					return
				}
			}
		})
	}
	wg.Wait()
	// The seller is gone; what was fetched is here.
	clear(i.shelf)
	if _, err := i.Service.Block(ctx, ipfs.CID(segment)); err != nil {
		t.Errorf("with the seller gone: %v", err)
	}
}

func TestBlockRefusesWhatItsCIDDoesNotName(t *testing.T) { each(t, blockRefusesWhatItsCIDDoesNotName) }

func blockRefusesWhatItsCIDDoesNotName(t *testing.T, database fresh) {
	const origin = "https://s.example"
	on, manifest, _, _ := publish(t, origin)
	on[origin+"/ipfs/"+manifest] = []byte("#EXTM3U\n# something else")
	i := open(t, database, "https://b.example", false)
	i.shelf = on
	must(t, media.Register(i.db.Write, media.Block{CID: manifest, Owner: "g", Kind: media.KindManifest, Origin: origin, CreatedAt: i.now}))
	if _, err := i.Service.Block(t.Context(), ipfs.CID(manifest)); !errors.Is(err, ipfs.ErrDamaged) {
		t.Errorf("tampered manifest: %v", err)
	}
}
