package vocab

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// ContentKeyHashSize is the length of a contentKeyHash and of every other SHA-256 in these objects.
	ContentKeyHashSize = 32
	// CapsuleSize is the length of an Umbral capsule.
	CapsuleSize = 98
	// CiphertextSize is the length of a sealed content key: nonce 24, key 32, tag 16.
	CiphertextSize = 72
	// NonceSize is the length of an offer's nonce.
	NonceSize = 16
	// MaxItems is how many tracks one grant may open; a larger product is several grants of one receipt.
	MaxItems = 500
	// MaxProxies is how many instances may hold key fragments of one grant.
	MaxProxies = 16

	maxVersion  = 1<<31 - 1
	maxDecimals = 77
	maxSize     = 1 << 50
	maxDuration = 99*time.Hour + 59*time.Minute + 59*time.Second
	// Years outside of these are mistakes or attempts; both still lie within RFC 3339.
	minYear, maxYear = 2000, 2199
)

var (
	assetPattern     = regexp.MustCompile(`^(?:(?:eip155|antiphon-dev):[1-9][0-9]{0,19}/erc20:0x[0-9a-fA-F]{40}|iso4217:[A-Z]{3})$`)
	mediaTypePattern = regexp.MustCompile(`^[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,99}$`)
	durationPattern  = regexp.MustCompile(`^PT(?:([0-9]{1,2})H)?(?:([0-9]{1,2})M)?(?:([0-9]{1,2})S)?$`)
)

// Price is how much of which asset.
type Price struct {
	// Amount counts the asset's smallest units, in decimal: "5000000".
	Amount string
	// Asset is a CAIP-19 token or an ISO 4217 currency: "eip155:42161/erc20:0x...", "iso4217:EUR". It may be empty
	// if Amount is "0".
	Asset string
	// Decimals is how many of Amount's digits stand behind the point when people read it.
	Decimals int
}

// Free reports whether there is nothing to pay.
func (p Price) Free() bool { return p.Amount == "0" }

func (p Price) write(m map[string]any) {
	m["amount"] = p.Amount
	if p.Asset != "" {
		m["asset"] = p.Asset
		m["decimals"] = p.Decimals
	}
}

func (o *object) price() Price {
	p := Price{Amount: o.decimal("amount")}
	if p.Free() && !o.has("asset") && !o.has("decimals") {
		return p
	}
	p.Asset = o.asset("asset")
	p.Decimals = int(o.integer("decimals", 0, maxDecimals))
	return p
}

// Media is a file that anyone may fetch.
type Media struct {
	// URL is the file's address, or empty if there is none.
	URL string
	// MediaType is such as "image/webp" or "audio/mpeg".
	MediaType string
}

// image is the AS2 Image of the file, or nothing.
func (f Media) image() any {
	if f == (Media{}) {
		return nil
	}
	return map[string]any{"type": "Image", "mediaType": f.MediaType, "url": f.URL}
}

func (o *object) image(name string) Media {
	if !o.has(name) {
		return Media{}
	}
	c := o.child(name)
	c.types("Image")
	return Media{URL: c.id("url"), MediaType: c.mediaType("mediaType")}
}

// id asks for the id of an object of our own kinds: a string, an http or https URI without fragment. Unlike uri it
// takes no embedded object, because a signed object names its neighbors in one form only.
func (o *object) id(name string) string {
	s, _ := o.get(name).(string)
	if uri, ok := uriOf(s); !ok || !plain(uri) {
		o.fail(name, "is not an http or https URI without fragment")
		return ""
	}
	return s
}

// plain reports whether the URI has one spelling: no fragment, a lower-case host without a dot at its end.
func plain(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && !strings.Contains(uri, "#") && u.Host == strings.ToLower(u.Host) && !strings.HasSuffix(u.Hostname(), ".")
}

func (o *object) maybeID(name string) string {
	if !o.has(name) {
		return ""
	}
	return o.id(name)
}

// ids asks for an array of low to high different ids.
func (o *object) ids(name string, low, high int) []string {
	list, _ := o.get(name).([]any)
	if o.has(name) && list == nil || len(list) < low || len(list) > high {
		o.fail(name, "has not %d to %d entries", low, high)
		return nil
	}
	var out []string
	for _, v := range list {
		s, _ := v.(string)
		if uri, ok := uriOf(s); !ok || !plain(uri) {
			o.fail(name, "holds what is not an http or https URI without fragment")
			return nil
		}
		out = append(out, s)
	}
	return out
}

// sibling asks for an id that is on the origin of another one, which may therefore speak for it.
func (o *object) sibling(name, of string) string {
	s := o.id(name)
	if s != "" && of != "" && !SameOrigin(s, of) {
		o.fail(name, "is on another host than %.200s", of)
	}
	return s
}

func (o *object) maybeSibling(name, of string) string {
	if !o.has(name) {
		return ""
	}
	return o.sibling(name, of)
}

// moment is instant in a year that people live in.
func (o *object) moment(name string) time.Time {
	t := o.instant(name)
	if y := t.Year(); y < minYear || y > maxYear {
		o.fail(name, "is not in the years %d to %d", minYear, maxYear)
	}
	return t
}

func (o *object) maybeMoment(name string) time.Time {
	if !o.has(name) {
		return time.Time{}
	}
	return o.moment(name)
}

// until asks for the end of what begins at start: a moment after it, or null for good. It must be said.
func (o *object) until(name string, start time.Time) *time.Time {
	if _, said := o.members[name]; !said {
		o.fail(name, "is missing")
		return nil
	}
	if !o.has(name) {
		return nil
	}
	t := o.moment(name)
	if !t.After(start) {
		o.fail(name, "is not after the start")
	}
	return &t
}

func (o *object) asset(name string) string   { return o.match(name, assetPattern, "an asset") }
func (o *object) version(name string) int    { return int(o.integer(name, 1, maxVersion)) }
func (o *object) size(name string) int64     { return o.integer(name, 0, maxSize) }
func (o *object) mediaType(n string) string  { return o.match(n, mediaTypePattern, "a media type") }
func (o *object) hash(name string) []byte    { return o.bytes(name, ContentKeyHashSize) }
func (o *object) capsule(name string) []byte { return o.bytes(name, CapsuleSize) }

func (o *object) match(name string, pattern *regexp.Regexp, what string) string {
	s, _ := o.get(name).(string)
	if !pattern.MatchString(s) {
		o.fail(name, "is not %s", what)
		return ""
	}
	return s
}

func (o *object) maybeMatch(name string, pattern *regexp.Regexp, what string) string {
	if !o.has(name) {
		return ""
	}
	return o.match(name, pattern, what)
}

// same asks for a text that is already known.
func (o *object) same(name, want string) {
	if s, _ := o.get(name).(string); s != want {
		o.fail(name, "is not %.200s", want)
	}
}

// different refuses a key that is used in two places, where that would open more than it should.
func (o *object) different(name, key string, others ...string) {
	for _, other := range others {
		if key != "" && key == other {
			o.fail(name, "is the same key as another one")
		}
	}
}

// duration asks for 1 second to 99 hours in the one form that formatDuration writes.
func (o *object) duration(name string) time.Duration {
	s, _ := o.get(name).(string)
	d := parseDuration(s)
	if d == 0 {
		o.fail(name, "is not a duration such as PT3M31S")
	}
	return d
}

func parseDuration(s string) time.Duration {
	parts := durationPattern.FindStringSubmatch(s)
	if parts == nil {
		return 0
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if n, err := strconv.Atoi(parts[i+1]); err == nil {
			d += time.Duration(n) * unit
		}
	}
	if formatDuration(d) != s {
		return 0
	}
	return d
}

// formatDuration writes d, rounded to whole seconds and at least one, as ISO 8601: PT3M31S.
func formatDuration(d time.Duration) string {
	d = min(max(d.Round(time.Second), time.Second), maxDuration)
	out := "PT"
	if h := d / time.Hour; h > 0 {
		out += fmt.Sprintf("%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		out += fmt.Sprintf("%dM", m)
	}
	if s := d % time.Minute / time.Second; s > 0 {
		out += fmt.Sprintf("%dS", s)
	}
	return out
}
