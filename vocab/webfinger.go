package vocab

import (
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// ActivityType is the media type of what is sent.
	ActivityType = "application/activity+json"
	// LinkedDataType is the other media type of the same documents.
	LinkedDataType = `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`
	// JRDType is the media type of WebFinger's documents.
	JRDType = "application/jrd+json"

	relSelf      = "self"
	relProfile   = "http://webfinger.net/rel/profile-page"
	relSubscribe = "http://ostatus.org/schema/1.0/subscribe"

	// relIntent begins the relations of FEP-3b86.
	relIntent = "https://w3id.org/fep/3b86/"

	maxLinks = 100
)

// Intent is what somebody wants to do on the own server about something elsewhere (FEP-3b86).
type Intent string

// The intents that are read and offered. IntentObject opens the thing and leaves it to the person what to do.
const (
	IntentFollow   Intent = "Follow"
	IntentLike     Intent = "Like"
	IntentAnnounce Intent = "Announce"
	IntentObject   Intent = "Object"
)

// IsActivityType reports whether a Content-Type header names a document of ActivityStreams: ActivityType, or
// LinkedDataType with its profile. Bare JSON and bare JSON-LD are not, because uploads could be served as these.
func IsActivityType(contentType string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return mediaType == ActivityType ||
		mediaType == "application/ld+json" && slices.Contains(strings.Fields(params["profile"]), ActivityStreams)
}

// JRD is a WebFinger document (RFC 7033): who stands behind a handle.
type JRD struct {
	// Subject is "acct:ada@music.example", or a URI.
	Subject string
	Aliases []string
	Links   []JRDLink
}

// JRDLink is one link of a JRD, with an address or a template for one.
type JRDLink struct{ Rel, Type, Href, Template string }

// Finger returns the document of an actor: subject as in JRD, the profile page if there is one, and the template
// ("https://music.example/authorize_interaction?uri={uri}") with which people act from here on what is elsewhere: as one
// link for each intent of FEP-3b86, and as the one that older servers read.
func Finger(subject, actor, profile, subscribe string) JRD {
	j := JRD{Subject: subject, Aliases: []string{actor}, Links: []JRDLink{{Rel: relSelf, Type: ActivityType, Href: actor}}}
	if profile != "" {
		j.Aliases = append(j.Aliases, profile)
		j.Links = append(j.Links, JRDLink{Rel: relProfile, Type: "text/html", Href: profile})
	}
	if subscribe != "" {
		j.Links = append(j.Links, JRDLink{Rel: relSubscribe, Template: subscribe})
		for _, i := range []Intent{IntentFollow, IntentLike, IntentAnnounce, IntentObject} {
			j.Links = append(j.Links, JRDLink{Rel: relIntent + string(i), Template: strings.ReplaceAll(subscribe, "{uri}", "{object}")})
		}
	}
	return j
}

// placeholder finds what a template leaves open.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// Open returns the address at which the person of the document acts on uri: by the template for that intent, the one
// for any object, or the one of older servers. It is empty when the server offers none that leads to http or https.
func (j JRD) Open(intent Intent, uri string) string {
	for _, rel := range []string{relIntent + string(intent), relIntent + string(IntentObject), relSubscribe} {
		for _, l := range j.Links {
			template := l.Template
			if template == "" && rel != relSubscribe {
				template = l.Href // the proposal's own examples write it so
			}
			if l.Rel != rel || !strings.Contains(template, "{object}") && !strings.Contains(template, "{uri}") {
				continue
			}
			address := strings.NewReplacer("{object}", url.QueryEscape(uri), "{uri}", url.QueryEscape(uri)).Replace(template)
			u, err := url.Parse(placeholder.ReplaceAllString(address, ""))
			if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil {
				return u.String()
			}
		}
	}
	return ""
}

// Object is the document.
func (j JRD) Object() map[string]any {
	m := map[string]any{"subject": j.Subject}
	putList(m, "aliases", j.Aliases)
	var links []any
	for _, l := range j.Links {
		link := map[string]any{"rel": l.Rel}
		put(link, "type", l.Type)
		put(link, "href", l.Href)
		put(link, "template", l.Template)
		links = append(links, link)
	}
	if links != nil {
		m["links"] = links
	}
	return m
}

// ReadJRD reads a WebFinger document. Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadJRD(raw []byte) (JRD, error) {
	o, err := openObject(raw)
	if err != nil {
		return JRD{}, fmt.Errorf("read JRD: %w", err)
	}
	j := JRD{Subject: o.text("subject", maxURI), Aliases: o.texts("aliases", maxLinks, maxURI)}
	for _, e := range o.children("links", 0, maxLinks) {
		j.Links = append(j.Links, JRDLink{
			Rel: e.text("rel", maxURI), Type: e.maybeText("type", maxName),
			Href: e.maybeText("href", maxURI), Template: e.maybeText("template", maxURI),
		})
	}
	if o.err() != nil {
		return JRD{}, fmt.Errorf("read JRD: %w", o.err())
	}
	return j, nil
}

// Self returns the URI of the one actor that the document names, or ErrInvalid for none or several.
func (j JRD) Self() (string, error) {
	self := ""
	for _, l := range j.Links {
		if l.Rel != relSelf || !IsActivityType(l.Type) {
			continue
		}
		if uri, ok := uriOf(l.Href); !ok || self != "" && self != uri {
			return "", fmt.Errorf("JRD of %.100q names several actors, or none by a URI: %w", j.Subject, ErrInvalid)
		}
		self = l.Href
	}
	if self == "" {
		return "", fmt.Errorf("JRD of %.100q names no actor: %w", j.Subject, ErrInvalid)
	}
	return self, nil
}
