package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/multikey"
)

// The kinds of signatures, as Fedify names them.
const (
	messageSignatures = "rfc9421"
	cavageSignatures  = "draft-cavage-http-signatures-12"
)

// meeting is an artist's and a listener's instance, each behind a tap, and a peer of another make.
type meeting struct {
	*stage
	peer  *fedify
	knock string
	// announced is the note about the track.
	announced string
	taps      map[*instance]*tap
}

// TestFedify tells the story of the social web with servers that run Fedify, which we did not write: in both
// directions, with each kind of signature. Nothing is pretended on either side.
func TestFedify(t *testing.T) {
	t.Parallel()
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8))
	taps := map[*instance]*tap{}
	s.front = func(i *instance) {
		tapped := newTap(t, i.base)
		i.base, taps[i] = tapped.URL, tapped
		i.env = append(i.env, "ANTIPHON_SERVER_BASE_URL="+tapped.URL)
	}
	s.playThrough("start the payment network", "sign up")
	meetings := make([]*meeting, 0, 2)
	for _, knock := range []string{messageSignatures, cavageSignatures} {
		meetings = append(meetings, &meeting{stage: s, peer: startFedify(t, knock), knock: knock, taps: taps})
	}
	each := func(name string, part func(*meeting, *testing.T)) {
		for _, m := range meetings {
			if !t.Run(name+" "+m.knock, func(t *testing.T) { part(m, t) }) {
				t.FailNow()
			}
		}
	}
	each("discovery", (*meeting).discovery)
	each("follow", (*meeting).follows)
	each("posts from there", (*meeting).postsFromThere)
	s.playThrough("the artist uploads", "the artist sets a price")
	each("announcement", (*meeting).announcement)
	each("reactions from there", (*meeting).reactionsFromThere)
	each("reactions from here", (*meeting).reactionsFromHere)
	_, err := s.ada.postForm(t.Context(), s.draft, url.Values{
		"title": {"Antiphon again"}, "price": {"5.00"}, "asset": {s.network.Asset}, "action": {"publish"},
	})
	must(t, err)
	each("change", (*meeting).change)
	_, err = s.ada.postForm(t.Context(), strings.TrimPrefix(s.track, s.artists.base)+"/unpublish", nil)
	must(t, err)
	each("deletion", (*meeting).deletion)
	each("without harm", (*meeting).withoutHarm)
	each("farewell", (*meeting).farewells)
	each("signatures", (*meeting).signatures)
}

// discovery is WebFinger, NodeInfo and actors with their keys, from there; the other direction is a part of follows.
func (m *meeting) discovery(t *testing.T) {
	var finger struct {
		Subject string
		Links   []struct{ Rel, Type, Href, Template string }
	}
	must(t, m.peer.try("find", map[string]any{"resource": m.ada.actor}, &finger))
	self := slices.IndexFunc(finger.Links, func(l struct{ Rel, Type, Href, Template string }) bool { return l.Rel == "self" })
	if finger.Subject != "acct:ada@"+host(m.artists.base) || self < 0 || finger.Links[self].Href != m.ada.actor {
		t.Errorf("WebFinger says %+v", finger)
	}
	var info struct {
		Software struct{ Name string }
		Metadata struct{ Features []string }
	}
	must(t, m.peer.try("nodeinfo", map[string]any{"base": m.artists.base}, &info))
	if info.Software.Name != "antiphon" || !slices.Contains(info.Metadata.Features, vocab.MusicFeature) {
		t.Errorf("NodeInfo says %+v", info)
	}
	ada, err := m.peer.read("fan", m.ada.actor)
	must(t, err)
	if ada.Kind != "Person" || ada.Key != m.ada.actor+"#main-key" || !slices.Contains(ada.Keys, m.ada.actor+"#ed25519-1") {
		t.Errorf("the artist is read as %s, key %s, proof keys %s", ada.Kind, ada.Key, ada.Keys)
	}
	instance, err := m.peer.read("", m.artists.base+"/actor")
	must(t, err)
	if instance.Kind != "Application" {
		t.Errorf("the instance is read as %s", instance.Kind)
	}
}

// follows has both sides follow each other.
func (m *meeting) follows(t *testing.T) {
	follow := m.peer.does("follow", map[string]any{"name": "fan", "target": m.ada.actor})
	m.peer.hears(m.stage, "that its follow was accepted", func(h heardThere) bool {
		return h.Kind == "Accept" && h.Actor == m.ada.actor && h.Object == follow.ID
	})
	if n := m.count(m.artists, "follows", "follower = ? AND state = 'accepted'", m.peer.person("fan")); n != 1 {
		t.Errorf("the artist has %d such followers", n)
	}
	if n := m.count(m.artists, "hosts", "host = ? AND software LIKE 'fedify-peer 1.0.0%' AND NOT music", host(m.peer.Origin)); n != 1 {
		t.Error("the artist's instance does not know what the peer's NodeInfo says")
	}

	_, err := m.lin.postForm(t.Context(), "/follow", url.Values{"address": {"@fan@" + host(m.peer.Origin)}})
	must(t, err)
	m.peer.hears(m.stage, "the listener's follow", func(h heardThere) bool {
		return h.Kind == "Follow" && h.Actor == m.lin.actor && h.Object == m.peer.person("fan")
	})
	m.eventually("the peer accepts", func() (bool, error) {
		return m.count(m.home, "follows", "follower = ? AND followed = ? AND state = 'accepted'", m.lin.actor, m.peer.person("fan")) == 1, nil
	})
}

// postsFromThere is a post of the fan, changed and deleted, in the listener's timeline, and one that was only named.
func (m *meeting) postsFromThere(t *testing.T) {
	shown := func(words string) func() (bool, error) {
		return func() (bool, error) {
			page, err := m.lin.get(t.Context(), "/")
			return bytes.Contains(page, []byte(words)), err
		}
	}
	first, second := "Rain at "+m.peer.Origin, "Sun at "+m.peer.Origin
	post := m.peer.does("post", map[string]any{"name": "fan", "content": first})
	m.eventually("the post is shown", shown(first))
	m.proofOf(t, post.ID)
	m.peer.does("edit", map[string]any{"name": "fan", "id": post.Object, "content": second})
	m.eventually("the change is shown", shown(second))
	m.peer.does("remove", map[string]any{"name": "fan", "id": post.Object})
	m.eventually("the deletion is seen", func() (bool, error) {
		is, err := shown(second)()
		return !is, err
	})

	// The peer shows its notes only to those whose signature it has checked.
	named := "Snow at " + m.peer.Origin
	m.peer.does("post", map[string]any{"name": "fan", "content": named, "named": true})
	m.eventually("the named post is shown", shown(named))
	if _, readers := m.peer.received(); !slices.Contains(readers, m.home.base+"/actor") {
		t.Errorf("the peer's notes were read by %q; want the instance of the listener", readers)
	}
}

// proofOf checks, with our own means, the proof that Fedify has put into an activity.
func (m *meeting) proofOf(t *testing.T, id string) {
	sent := m.taps[m.home].seen(func(e exchange) bool { return e.method == "POST" && bytes.Contains(e.body, []byte(`"`+id+`"`)) })
	if len(sent) == 0 {
		t.Fatalf("%s has not come", id)
	}
	activity, err := jsonld.Parse(sent[0].body)
	must(t, err)
	claim, ok := activity["proof"].(map[string]any)
	if !ok {
		t.Fatalf("%s has the proof %v", id, activity["proof"])
	}
	value, _ := claim["proofValue"].(string)
	signature, err := base58.Decode(strings.TrimPrefix(value, "z"))
	must(t, err)
	delete(activity, "proof")
	// The peer signs this for servers that ask for it; it stands outside of the proof.
	delete(activity, "signature")
	delete(claim, "proofValue")
	claim["@context"] = activity["@context"]
	var signed []byte
	for _, part := range []map[string]any{claim, activity} {
		canonical, err := jsonld.Canonicalize(part)
		must(t, err)
		sum := sha256.Sum256(canonical)
		signed = append(signed, sum[:]...)
	}
	var actor struct{ AssertionMethod json.RawMessage }
	must(t, getActivity(t.Context(), m.peer.person("fan"), &actor))
	var keys []struct{ ID, PublicKeyMultibase string }
	if json.Unmarshal(actor.AssertionMethod, &keys) != nil {
		keys = make([]struct{ ID, PublicKeyMultibase string }, 1)
		must(t, json.Unmarshal(actor.AssertionMethod, &keys[0]))
	}
	for _, k := range keys {
		if k.ID != claim["verificationMethod"] {
			continue
		}
		key, err := multikey.DecodeEd25519(k.PublicKeyMultibase)
		must(t, err)
		if !ed25519.Verify(key, signed, signature) {
			t.Errorf("the proof of %s is not good", id)
		}
		return
	}
	t.Errorf("the fan does not publish %v", claim["verificationMethod"])
}

// announcement is the artist's post as Fedify takes it, and the track behind it.
func (m *meeting) announcement(t *testing.T) {
	h := m.peer.hears(m.stage, "the announcement", func(h heardThere) bool { return h.Kind == "Create" && h.Actor == m.ada.actor })
	if h.ObjectKind != "Note" || !h.Public || !strings.Contains(h.Content, "Antiphon") || len(h.Attachments) != 1 {
		t.Fatalf("the announcement is heard as %+v", h)
	}
	m.announced = h.Object
	a := h.Attachments[0]
	resp, err := http.Get(a.URL)
	must(t, err)
	must(t, resp.Body.Close())
	if a.Kind != "Audio" || a.MediaType != "audio/mpeg" || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("the attachment %+v is answered with %s %s", a, resp.Status, resp.Header.Get("Content-Type"))
	}
	for _, as := range []string{"", "fan"} {
		note, err := m.peer.read(as, h.Object)
		must(t, err)
		if note.Kind != "Note" || note.ID != h.Object {
			t.Errorf("the note is read as %+v by %q", note, as)
		}
	}
	track, err := m.peer.read("fan", m.track)
	must(t, err)
	if track.Kind != "Audio" || track.Name != "Antiphon" {
		t.Errorf("the track is read as %s %q", track.Kind, track.Name)
	}
	if !m.peer.proven(track.Document) {
		t.Errorf("Fedify does not find the track's proof good: %s", track.Document)
	}
	if m.peer.proven(bytes.Replace(track.Document, []byte(`"Antiphon"`), []byte(`"Antiphony"`), 1)) {
		t.Error("Fedify finds the proof of another track good")
	}
	heard, _ := m.peer.received()
	if slices.ContainsFunc(heard, func(h heardThere) bool { return h.Object == m.track }) {
		t.Error("the track itself was sent to a server that does not speak music")
	}
}

// note is the URI of the announcement.
func (m *meeting) note(t *testing.T) string {
	t.Helper()
	var note string
	must(t, m.rows(m.artists).Table("posts").Where("track = ?", m.track).Pluck("uri", &note).Error)
	return note
}

// reactionsFromThere are what a fan can do with the announcement, and take back.
func (m *meeting) reactionsFromThere(t *testing.T) {
	note, fan := m.note(t), m.peer.person("fan")
	for verb, kind := range map[string]string{"Like": "like", "Announce": "announce"} {
		sent := m.peer.does("react", map[string]any{"name": "fan", "verb": verb, "object": note, "to": m.ada.actor})
		counted := func(n int64) func() (bool, error) {
			return func() (bool, error) {
				return m.count(m.artists, "reactions", "actor = ? AND object = ? AND kind = ?", fan, note, kind) == n, nil
			}
		}
		m.eventually("the "+kind+" counts", counted(1))
		m.peer.does("undo", map[string]any{"name": "fan", "id": sent.ID, "to": m.ada.actor})
		m.eventually("the "+kind+" is taken back", counted(0))
	}
	says := func(words string, n int64) func() (bool, error) {
		return func() (bool, error) {
			return m.count(m.artists, "objects", "owner = ? AND deleted_at IS NULL AND CAST(raw AS TEXT) LIKE ?", fan, "%"+words+"%") == n, nil
		}
	}
	reply := m.peer.does("post", map[string]any{"name": "fan", "content": "Lovely bellows", "inReplyTo": note, "mention": m.ada.actor, "to": m.ada.actor})
	m.eventually("the reply is kept", says("Lovely bellows", 1))
	m.peer.does("edit", map[string]any{
		"name": "fan", "id": reply.Object, "content": "Lovely brass", "inReplyTo": note, "mention": m.ada.actor, "to": m.ada.actor,
	})
	m.eventually("the changed reply is kept", says("Lovely brass", 1))
	m.peer.does("remove", map[string]any{"name": "fan", "id": reply.Object, "to": m.ada.actor})
	m.eventually("the reply is deleted", says("Lovely", 0))
}

// reactionsFromHere are what the artist can do with a fan's comment, and take back.
func (m *meeting) reactionsFromHere(t *testing.T) {
	comment := m.peer.does("post", map[string]any{
		"name": "fan", "content": "Which accordion is it?", "inReplyTo": m.note(t), "mention": m.ada.actor, "to": m.ada.actor,
	}).Object
	post := func(path string, form url.Values) (string, error) {
		resp, err := m.ada.postForm(t.Context(), path, form)
		if err != nil {
			return "", err
		}
		return resp.Request.URL.String(), nil
	}
	m.eventually("the comment can be answered", func() (bool, error) {
		_, err := post("/react", url.Values{"object": {comment}, "kind": {"like"}, "on": {"1"}})
		if isStatus(err, http.StatusNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	for kind, verb := range map[string]string{"like": "Like", "boost": "Announce"} {
		_, err := post("/react", url.Values{"object": {comment}, "kind": {kind}, "on": {"1"}})
		must(t, err)
		h := m.peer.hears(m.stage, "the artist's "+kind, func(h heardThere) bool { return h.Kind == verb && h.Actor == m.ada.actor && h.Object == comment })
		_, err = post("/react", url.Values{"object": {comment}, "kind": {kind}})
		must(t, err)
		m.peer.hears(m.stage, "that the "+kind+" was taken back", func(u heardThere) bool {
			return u.Kind == "Undo" && u.Actor == m.ada.actor && (u.Object == h.ID || u.ObjectKind == verb)
		})
	}
	words := "A Weltmeister, and it wheezes: " + m.knock
	_, err := post("/comments", url.Values{"to": {comment}, "text": {words}})
	must(t, err)
	answer := m.peer.hears(m.stage, "the answer", func(h heardThere) bool { return h.Kind == "Create" && strings.Contains(h.Content, words) })
	if answer.ObjectKind != "Note" || answer.Actor != m.ada.actor || !strings.Contains(strings.Join(answer.To, " "), m.peer.person("fan")) && !answer.Public {
		t.Errorf("the answer is heard as %+v", answer)
	}
	if note, err := m.peer.read("fan", answer.Object); err != nil || note.Kind != "Note" || !bytes.Contains(note.Document, []byte(comment)) {
		t.Errorf("the answer is read as %s, %v", note.Document, err)
	}
	_, err = post("/comments/delete", url.Values{"uri": {answer.Object}})
	must(t, err)
	m.peer.hears(m.stage, "that the answer was deleted", func(h heardThere) bool { return h.Kind == "Delete" && h.Object == answer.Object })
}

func (m *meeting) change(t *testing.T) {
	h := m.peer.hears(m.stage, "the change", func(h heardThere) bool {
		return h.Kind == "Update" && h.Object == m.announced && strings.Contains(h.Content, "Antiphon again")
	})
	if h.ObjectKind != "Note" || h.Actor != m.ada.actor {
		t.Errorf("the change is heard as %+v", h)
	}
}

func (m *meeting) deletion(t *testing.T) {
	h := m.peer.hears(m.stage, "the deletion", func(h heardThere) bool { return h.Kind == "Delete" && h.Object == m.announced })
	if _, err := m.peer.read("fan", h.Object); err == nil || !strings.Contains(err.Error(), "410") {
		t.Errorf("the deleted note is answered with %v", err)
	}
}

// withoutHarm sends what has little or no effect: it is taken, and changes nothing that it should not.
func (m *meeting) withoutHarm(t *testing.T) {
	fan := m.peer.person("fan")
	m.peer.does("react", map[string]any{"name": "fan", "verb": "Flag", "object": m.ada.actor, "to": m.ada.actor})
	m.peer.does("react", map[string]any{"name": "fan", "verb": "Move", "object": fan, "to": m.lin.actor})
	// A move that the new account does not confirm moves nobody.
	if n := m.count(m.home, "follows", "follower = ? AND followed = ? AND state = 'accepted'", m.lin.actor, fan); n != 1 {
		t.Error("the listener no longer follows the fan")
	}
	m.peer.does("react", map[string]any{"name": "other", "verb": "Block", "object": m.ada.actor, "to": m.ada.actor})
	m.eventually("the block is taken", func() (bool, error) {
		return m.count(m.artists, "activities", "actor = ? AND type = 'Block' AND state = 'done'", m.peer.person("other")) == 1, nil
	})
	if n := m.count(m.artists, "follows", "follower = ? AND state = 'accepted'", fan); n != 1 {
		t.Error("a stranger's block ended the fan's follow")
	}
}

// farewells end the follows of both sides.
func (m *meeting) farewells(t *testing.T) {
	_, err := m.lin.postForm(t.Context(), "/unfollow", url.Values{"address": {m.peer.person("fan")}})
	must(t, err)
	m.peer.hears(m.stage, "that the listener has gone", func(h heardThere) bool { return h.Kind == "Undo" && h.Actor == m.lin.actor })
	var left []string
	must(t, m.peer.try("followers", map[string]any{"name": "fan"}, &left))
	if slices.Contains(left, m.lin.actor) {
		t.Errorf("the fan is still followed by %q", left)
	}
	again := m.peer.does("follow", map[string]any{"name": "fan", "target": m.ada.actor})
	m.peer.does("undo", map[string]any{"name": "fan", "id": again.ID, "to": m.ada.actor})
	m.eventually("the fan has gone", func() (bool, error) {
		return m.count(m.artists, "follows", "follower = ?", m.peer.person("fan")) == 0, nil
	})
}

// signatures looks at what was signed how, in both directions.
func (m *meeting) signatures(t *testing.T) {
	kinds := map[bool]int{}
	var last exchange
	at := m.artists
	for _, i := range []*instance{m.artists, m.home} {
		for _, e := range m.taps[i].seen(func(e exchange) bool {
			signed := e.header.Get("Signature-Input") + e.header.Get("Signature")
			return e.method == "POST" && strings.Contains(signed, `"`+m.peer.Origin+"/users/") && strings.HasSuffix(e.url, "inbox")
		}) {
			if e.status != http.StatusAccepted {
				t.Errorf("%s was refused: %d %s", e.body, e.status, e.content)
				continue
			}
			kinds[e.header.Get("Signature-Input") != ""]++
			last, at = e, i
		}
	}
	messages, cavage := kinds[true], kinds[false]
	// Fedify itself goes over to RFC 9421 once a request was answered with an error.
	if m.knock == messageSignatures && (messages == 0 || cavage > 0) || m.knock == cavageSignatures && cavage == 0 {
		t.Errorf("of what was taken, %d had signatures of RFC 9421 and %d of draft-cavage", messages, cavage)
	}
	// That they were looked at is seen by a letter that changes on the way, in the body and in what was signed of it.
	for what, change := range map[string]func(*http.Request){
		"nothing": func(*http.Request) {},
		"body":    func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(bytes.ToUpper(last.body))) },
		"date": func(r *http.Request) {
			r.Header.Set("Date", "Fri, 20 Nov 2026 00:00:00 GMT")
			r.Header.Del("Signature-Input")
		},
		"address": func(r *http.Request) { r.URL.Path = "/users/nobody/inbox" },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.base+last.url, bytes.NewReader(last.body))
		must(t, err)
		req.Header = last.header.Clone()
		change(req)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		if taken := resp.StatusCode == http.StatusAccepted; taken != (what == "nothing") {
			t.Errorf("with %s changed, the answer is %s", what, resp.Status)
		}
	}
	t.Logf("taken at the first knock: %d with RFC 9421, %d with draft-cavage", messages, cavage)
}
