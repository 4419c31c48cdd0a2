package inbox

import (
	"encoding/json"
	"html"
	"time"

	"github.com/microcosm-cc/bluemonday"

	"antiphon/vocab"
)

// social registers the verbs of the social web and of tracks.
func (i *Inbox) social() {
	i.Handle(vocab.VerbFollow, "", i.follow)
	i.Handle(vocab.VerbAccept, "Follow", i.followAnswered)
	i.Handle(vocab.VerbReject, "Follow", i.followAnswered)
	i.Handle(vocab.VerbUndo, "Follow", i.undoFollow)
	i.Handle(vocab.VerbUndo, "Accept", i.undoAccept)
	i.Handle(vocab.VerbUndo, "Like", i.undoReaction(like))
	i.Handle(vocab.VerbUndo, "EmojiReact", i.undoReaction(like))
	i.Handle(vocab.VerbUndo, "Announce", i.undoReaction(announce))
	i.Handle(vocab.VerbBlock, "", i.block)
	i.Handle(vocab.VerbFlag, "", i.flag)
	i.Handle(vocab.VerbMove, "", i.move)
	i.Handle(vocab.VerbMove, kindActor, i.move)
	i.Handle(vocab.VerbLike, "", i.react)
	i.Handle(vocab.VerbAnnounce, "", i.react)
	i.Handle(vocab.VerbListen, "", i.hear)
	i.Handle(vocab.VerbQuoteRequest, "", i.quoted)
	for _, kind := range []string{"Note", "Article", "Page"} {
		i.Handle(vocab.VerbCreate, kind, i.note)
		i.Handle(vocab.VerbUpdate, kind, i.note)
	}
	i.Handle(vocab.VerbCreate, kindTrack, i.track)
	i.Handle(vocab.VerbUpdate, kindTrack, i.track)
	i.Handle(vocab.VerbCreate, kindAlbum, i.album)
	i.Handle(vocab.VerbUpdate, kindAlbum, i.album)
	i.Handle(vocab.VerbCreate, "", i.named)
	i.Handle(vocab.VerbUpdate, "", i.named)
	i.Handle(vocab.VerbUpdate, kindActor, i.renew)
	i.Handle(vocab.VerbDelete, "", i.remove)
	i.Handle(vocab.VerbDelete, kindActor, i.depart)
	i.Handle(vocab.VerbAdd, "", i.rearranged)
	i.Handle(vocab.VerbRemove, "", i.rearranged)
}

// maxShown is the longest text that keeps its markup in a timeline, in bytes.
const maxShown = 100_000

// policy is the HTML that may be shown: text, its emphasis and lists, and links that lead out.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "span", "strong", "b", "em", "i", "u", "del", "code", "pre", "blockquote", "ul", "ol", "li")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// shown is a stranger's HTML as it may stand in a timeline.
func (i *Inbox) shown(content string) string {
	if len(content) <= maxShown {
		return i.html.Sanitize(content)
	}
	plain := []rune(html.UnescapeString(bluemonday.StrictPolicy().Sanitize(content)))
	return html.EscapeString(string(plain[:min(len(plain), maxShown/10)])) + "…"
}

// withContext gives an object that was embedded the context that it left to the outside.
func withContext(raw json.RawMessage) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m["@context"] != nil {
		return raw
	}
	m["@context"] = json.RawMessage(`"` + vocab.ActivityStreams + `"`)
	out, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return out
}

func (i *Inbox) utc() time.Time { return i.now().UTC().Truncate(time.Second) }
