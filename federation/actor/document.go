package actor

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"antiphon/vocab"
)

// Document is a local actor as other servers read it.
func (r *Registry) Document(ctx context.Context, uri string) ([]byte, error) {
	stored, err := take(r.db.Read.WithContext(ctx).Where("uri = ? AND local", uri), uri)
	if err == nil {
		err = stored.standing()
	}
	if err != nil {
		return nil, err
	}
	a, err := r.describe(ctx, stored)
	if err != nil {
		return nil, err
	}
	document, err := a.Build()
	if err != nil {
		return nil, fmt.Errorf("describe actor %s: %w", uri, err)
	}
	return json.Marshal(document)
}

// describe puts together what a local actor says of itself.
func (r *Registry) describe(ctx context.Context, stored row) (vocab.Actor, error) {
	uri := stored.URI
	a := vocab.Actor{
		ID: uri, Type: vocab.Person, PreferredUsername: stored.Name, Name: stored.Display, Summary: stored.Summary, URL: stored.URL,
		Published: stored.CreatedAt, Inbox: stored.Inbox, Outbox: uri + "/outbox", Followers: uri + "/followers",
		Following: uri + "/following", SharedInbox: stored.SharedInbox, Discoverable: true, Indexable: true,
		MovedTo: stored.MovedTo, AlsoKnownAs: lines(stored.AlsoKnownAs),
	}
	if stored.Icon != "" {
		a.Icon = vocab.Media{URL: r.config.FileURL(stored.Icon, stored.Name+".jpg"), MediaType: "image/jpeg"}
	}
	var rows []keyRow
	err := r.db.Read.WithContext(ctx).Where("actor = ? AND purpose IN ?", uri, []string{purposeHTTP, purposeProof}).
		Order("number DESC").Find(&rows).Error
	if err != nil {
		return a, fmt.Errorf("read keys of %s: %w", uri, err)
	}
	for _, k := range rows {
		switch {
		case k.Purpose == purposeProof:
			a.ProofKeys = append(a.ProofKeys, vocab.Key{ID: k.ID, Multikey: k.Public})
		case a.PublicKey.ID == "":
			a.PublicKey = vocab.PublicKey{ID: k.ID, PEM: k.Public}
		}
	}
	switch stored.Kind {
	case Instance:
		return a, r.describeInstance(ctx, &a)
	case Artist:
		a.Tracks, a.Releases, a.Subscribers, a.Featured = uri+"/tracks", uri+"/releases", uri+"/subscribers", uri+"/featured"
		text, number, err := r.secrets.VerifyingKey(ctx, uri)
		if err != nil {
			return a, fmt.Errorf("verifying key of %s: %w", uri, err)
		}
		a.VerifyingKeys = []vocab.Key{vocab.VerifyingKey(uri, number, text)}
		if r.offers != nil {
			if a.Payments, err = r.offers(ctx, uri); err != nil {
				return a, fmt.Errorf("what %s sells: %w", uri, err)
			}
		}
	}
	a.Liked, a.Playlists = uri+"/liked", uri+"/playlists"
	if n := int(stored.KeyNumber); n > 0 {
		a.ReceivingKeys = []vocab.Key{vocab.ReceivingKey(uri, n, stored.ReceivingKey)}
		a.RequestingKeys = []vocab.Key{vocab.RequestingKey(uri, n, stored.RequestingKey)}
	}
	a.KeyLinks, err = r.links(ctx, stored)
	return a, err
}

func (r *Registry) describeInstance(ctx context.Context, a *vocab.Actor) error {
	a.Type, a.Discoverable, a.Indexable, a.ManuallyApprovesFollowers = vocab.Application, false, false, true
	key, number, err := r.secrets.SealingKey(ctx)
	if err != nil {
		return fmt.Errorf("sealing key: %w", err)
	}
	a.SealingKey = &vocab.SealingKey{ID: a.ID + "#sealing-" + strconv.Itoa(number), PublicKey: key}
	a.Reencrypt = r.secrets.ReencryptURL()
	return nil
}

// actor makes an Actor of a row. The secrets of a local one stay where they are; only Document asks for them.
func (r *Registry) actor(ctx context.Context, stored row) (Actor, error) {
	if !stored.Local {
		return fromDocument(stored)
	}
	a := Actor{
		URI: stored.URI, Local: true, Name: stored.Name, Host: stored.Host, Kind: stored.Kind, Display: stored.Display,
		Summary: stored.Summary, URL: stored.URL, Inbox: stored.Inbox, SharedInbox: stored.SharedInbox,
		Followers: stored.URI + "/followers", Music: true, ReceivingKey: stored.ReceivingKey, RequestingKey: stored.RequestingKey,
		KeyNumber: int(stored.KeyNumber), MovedTo: stored.MovedTo, AlsoKnownAs: lines(stored.AlsoKnownAs),
	}
	if stored.Icon != "" {
		a.Icon = r.config.FileURL(stored.Icon, stored.Name+".jpg")
	}
	if stored.KeyNumber < 2 {
		return a, nil
	}
	var err error
	a.KeyLinks, err = r.links(ctx, stored)
	return a, err
}
