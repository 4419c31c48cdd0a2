package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/actor"
)

// Follower follows actors for the users of this instance; federation/outbox implements it.
type Follower interface {
	// Follow asks target, "user@host" or a URI, to be followed by the local actor me, and returns the target's URI. An
	// error that is a [*Fault] is shown to the user.
	Follow(ctx context.Context, me, target string) (actor string, err error)
	// Unfollow takes that back; not following is no error.
	Unfollow(ctx context.Context, me, actor string) error
}

// Profile is what a person says about oneself. An empty Icon leaves the picture as it is.
type Profile struct{ Display, Summary, Icon string }

// Profiles changes the profile of a local actor and tells its followers; federation/actor implements it.
type Profiles interface {
	SetProfile(ctx context.Context, actor string, p Profile) error
}

// actorRow is what the pages read of an actor that is known here.
type actorRow struct {
	URI           string `gorm:"primaryKey"`
	Local         bool
	Name          string
	Host          string
	Kind          string
	Display       string
	Summary       string
	URL           string
	Icon          string
	ReceivingKey  string
	RequestingKey string
	KeyNumber     int64
	State         string
}

func (actorRow) TableName() string { return "actors" }

// actor returns an actor that is known here, or [ErrNotFound]; one that was deleted, or was not let in yet, is not there.
func (p *Pages) actor(ctx context.Context, uri string) (actorRow, error) {
	a, err := p.row(ctx, uri)
	if err != nil || a.State == "" {
		return a, err
	}
	if a.State == actor.Gone {
		return actorRow{}, &Fault{Status: http.StatusGone, What: "This account was deleted", Do: "If you bought something from it, it is still in your library.", Err: ErrNotFound}
	}
	return actorRow{}, fmt.Errorf("%w: actor %.200q", ErrNotFound, uri)
}

// row returns an actor however it stands.
func (p *Pages) row(ctx context.Context, uri string) (actorRow, error) {
	var a actorRow
	err := p.DB.Read.WithContext(ctx).Where("uri = ?", uri).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, fmt.Errorf("%w: actor %.200q", ErrNotFound, uri)
	}
	if err != nil {
		return a, fmt.Errorf("read actor: %w", err)
	}
	if a.Display == "" {
		a.Display = a.Name
	}
	return a, nil
}

// actors returns those of the actors that are known here, by URI.
func (p *Pages) actors(ctx context.Context, uris []string) (map[string]actorRow, error) {
	var rows []actorRow
	if err := p.DB.Read.WithContext(ctx).Where("uri IN ?", uris).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read actors: %w", err)
	}
	byURI := make(map[string]actorRow, len(rows))
	for _, a := range rows {
		if a.Display == "" {
			a.Display = a.Name
		}
		byURI[a.URI] = a
	}
	return byURI, nil
}

func (p *Pages) handle(name, host string) string { return "@" + name + "@" + host }

// page is the actor's page on this instance.
func (a actorRow) page() string {
	if a.Local {
		return "/@" + a.Name
	}
	return "/artist?uri=" + url.QueryEscape(a.URI)
}

// picture is the actor's picture as this instance serves it, or "".
func (p *Pages) picture(a actorRow) string {
	switch {
	case a.Icon == "":
		return ""
	case strings.HasPrefix(a.Icon, p.BaseURL+"/"):
		return strings.TrimPrefix(a.Icon, p.BaseURL)
	default:
		return fileURL("icon", a.URI)
	}
}

// bio is an actor's own words: text of ours, HTML of others, both made safe.
func (a actorRow) bio() template.HTML {
	if a.Local {
		return linked(paragraphs(a.Summary))
	}
	return sanitize(a.Summary)
}
