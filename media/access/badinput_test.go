package access_test

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/media/hls"
	"antiphon/media/ipfs"
)

// spelled is a CID of any version, codec and hash, in base32.
func spelled(version, codec, hash byte, digest []byte) string {
	raw := append([]byte{version, codec, hash, byte(len(digest))}, digest...)
	return "b" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

func TestManifestsFromOutside(t *testing.T) { each(t, manifestsFromOutside) }

func manifestsFromOutside(t *testing.T, database fresh) {
	const origin = "https://s.example"
	i := open(t, database, "https://b.example", false)
	sum := sha256.Sum256([]byte("x"))
	list := hls.Media{Rendition: "aac64", Init: string(ipfs.CIDOf([]byte("init"))), Segments: []hls.MediaSegment{
		{CID: string(ipfs.CIDOf([]byte("segment"))), IV: [16]byte{1}, Duration: 5 * time.Second, Size: 7},
	}}
	text, err := list.Marshal()
	must(t, err)
	good := string(text)
	segment := good[strings.LastIndex(good, "#EXT-X-KEY"):strings.Index(good, "#EXT-X-ENDLIST")]
	// take registers a block of a kind, puts it on the seller's shelf, and asks for it.
	take := func(kind media.Kind, text string) error {
		t.Helper()
		cid := ipfs.CIDOf([]byte(text))
		i.shelf = shelf{origin + "/ipfs/" + string(cid): []byte(text)}
		must(t, media.Register(i.db.Write, media.Block{CID: string(cid), Owner: origin + "/grants/1", Kind: kind, Origin: origin, CreatedAt: i.now}))
		_, err := i.Service.Block(t.Context(), cid)
		return err
	}
	testkit.BadInput(t, "C19", func(t *testing.T) {
		swap := func(old, with string) string { return strings.Replace(good, old, with, 1) }
		name := list.Segments[0].CID
		for what, text := range map[string]string{
			"an absolute address":         swap(name, "https://evil.example/"+name),
			"a private address":           swap(name, "http://169.254.169.254/"+name),
			"a file":                      swap(name, "file:///etc/passwd"),
			"a path":                      swap(name, "../"+name),
			"a query":                     swap(name, name+"?x=1"),
			"a CID in capitals":           swap(name, strings.ToUpper(name)),
			"a CID of version 0":          swap(name, "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKQ8bc"),
			"an identity CID":             swap(name, spelled(1, 0x55, 0, []byte("the data itself"))),
			"a key elsewhere":             swap("key://antiphon/", "https://evil.example/"),
			"no encryption":               swap("METHOD=AES-128", "METHOD=NONE"),
			"a map elsewhere":             swap(list.Init, "https://evil.example/init"),
			"a byte range":                swap("#EXT-X-KEY", "#EXT-X-BYTERANGE:1@0\n#EXT-X-KEY"),
			"a million segments":          strings.Replace(good, segment, strings.Repeat(segment, 1_000_000), 1)[:4<<20],
			"20,001 segments":             strings.Replace(good, segment, strings.Repeat(segment, hls.MaxSegments+1), 1),
			"a playlist of playlists":     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"x\"\n" + name + "\n",
			"a variable":                  swap("#EXT-X-MAP", "#EXT-X-DEFINE:NAME=\"x\",VALUE=\"y\"\n#EXT-X-MAP"),
			"dag-pb with a million links": strings.Repeat("\x12\x2a\x0a\x24\x01\x70\x12\x20"+string(sum[:])+"\x12\x00\x18\x00", 20_000),
			"HTML":                        "<html><script>1</script>",
		} {
			before := testkit.Rows(t, i.db.Read)
			if err := take(media.KindPlaylist, text); err == nil {
				t.Errorf("playlist with %s was taken", what)
			}
			// The one that the test registers, and none that it leads to.
			before["blocks"]++
			testkit.SameRows(t, i.db.Read, before)
		}
		const variant = "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"x\"\n"
		for what, text := range map[string]string{
			"17 renditions":       "#EXTM3U\n" + strings.Repeat(variant+name+"\n", hls.MaxVariants+1),
			"an absolute address": "#EXTM3U\n" + variant + "https://evil.example/" + name + "\n",
			"another rendition":   "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"https://evil.example/\"\n" + variant + name + "\n",
			"segments":            good + "\n",
		} {
			before := testkit.Rows(t, i.db.Read)
			if err := take(media.KindManifest, text); err == nil {
				t.Errorf("manifest with %s was taken", what)
			}
			before["blocks"]++
			testkit.SameRows(t, i.db.Read, before)
		}
		// What would hold its own data, or be read in another way, is not even looked up.
		for what, cid := range map[string]string{
			"identity": spelled(1, 0x55, 0, []byte("the data itself, 32 bytes of it!")), "dag-cbor": spelled(1, 0x71, 0x12, sum[:]),
			"sha1": spelled(1, 0x55, 0x11, sum[:20]), "blake": spelled(1, 0x55, 0x1e, sum[:]), "version 2": spelled(2, 0x55, 0x12, sum[:]), "a path": "../etc/passwd",
		} {
			if got, err := ipfs.ParseCID(cid); err == nil {
				t.Errorf("%s: %s", what, got)
			}
			if _, err := i.Service.Block(t.Context(), ipfs.CID(cid)); err == nil {
				t.Errorf("%s: there is such a block", what)
			}
		}
		// Other bytes than were asked for, and more than a block may have.
		cid := ipfs.CIDOf([]byte("asked for"))
		must(t, media.Register(i.db.Write, media.Block{CID: string(cid), Owner: "g", Kind: media.KindSegment, Origin: origin, CreatedAt: i.now}))
		i.shelf = shelf{origin + "/ipfs/" + string(cid): []byte("something else")}
		if _, err := i.Service.Block(t.Context(), cid); !errors.Is(err, ipfs.ErrDamaged) {
			t.Errorf("other bytes: %v", err)
		}
		if err := take(media.KindSegment, strings.Repeat("x", ipfs.MaxBlock+1)); !errors.Is(err, ipfs.ErrTooLarge) {
			t.Errorf("a block of more than 1 MiB: %v", err)
		}
	}, func(t *testing.T) {
		if err := take(media.KindPlaylist, good); err != nil {
			t.Error(err)
		}
		master, err := hls.Master{Variants: []hls.Variant{list.Variant(string(ipfs.CIDOf([]byte(good))), hls.CodecAAC)}}.Marshal()
		must(t, err)
		if err := take(media.KindManifest, string(master)); err != nil {
			t.Error(err)
		}
		if err := take(media.KindSegment, strings.Repeat("y", ipfs.MaxBlock)); err != nil {
			t.Errorf("a block of 1 MiB: %v", err)
		}
	})
}
