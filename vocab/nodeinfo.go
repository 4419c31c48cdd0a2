package vocab

import (
	"fmt"
	"slices"
)

const (
	// MusicFeature stands in the features of a NodeInfo's metadata and says that the server reads AudioTrack, grants
	// and the other kinds of this package.
	MusicFeature = Namespace + "music"

	nodeInfo20     = "http://nodeinfo.diaspora.software/ns/schema/2.0"
	nodeInfo21     = "http://nodeinfo.diaspora.software/ns/schema/2.1"
	relApplication = ActivityStreams + "#Application"
)

// NodeInfo says what a server runs and how large it is (version 2.1, and 2.0 without the repository).
type NodeInfo struct {
	// Software is the program's name in lower case, letters, digits and hyphens.
	Software, SoftwareVersion, Repository, Homepage string
	OpenRegistrations                               bool
	// Users are all of them, ActiveMonth and ActiveHalfYear those who logged in within 30 and 180 days.
	Users, ActiveMonth, ActiveHalfYear, LocalPosts int64
	// LocalComments are the answers that members wrote; posts do not count them.
	LocalComments int64
	// Name and Description are the instance's.
	Name, Description string
	// Features are what the server says it can do beyond what everybody can.
	Features []string
}

// SpeaksMusic reports whether the server reads music objects, by its features or by what it runs.
func (n NodeInfo) SpeaksMusic() bool {
	return slices.Contains(n.Features, MusicFeature) || slices.Contains([]string{"antiphon", "bandwagon", "funkwhale"}, n.Software)
}

// Object is the document of a version, "2.0" or "2.1".
func (n NodeInfo) Object(version string) map[string]any {
	software := map[string]any{"name": n.Software, "version": n.SoftwareVersion}
	if version == "2.1" {
		put(software, "repository", n.Repository)
		put(software, "homepage", n.Homepage)
	}
	metadata := map[string]any{"nodeName": n.Name, "nodeDescription": n.Description, "features": anys(n.Features)}
	return map[string]any{
		"version": version, "software": software, "protocols": []any{"activitypub"},
		"services": map[string]any{"inbound": []any{}, "outbound": []any{}}, "openRegistrations": n.OpenRegistrations,
		"usage": map[string]any{
			"users":      map[string]any{"total": n.Users, "activeMonth": n.ActiveMonth, "activeHalfyear": n.ActiveHalfYear},
			"localPosts": n.LocalPosts, "localComments": n.LocalComments,
		},
		"metadata": metadata,
	}
}

// ReadNodeInfo reads the document of any server. Only the name of the software must be there.
func ReadNodeInfo(raw []byte) (NodeInfo, error) {
	o, err := openObject(raw)
	if err != nil {
		return NodeInfo{}, fmt.Errorf("read NodeInfo: %w", err)
	}
	software := o.child("software")
	n := NodeInfo{Software: software.text("name", maxUsername), SoftwareVersion: software.looseText("version", maxUsername)}
	n.Repository, n.Homepage = software.looseText("repository", maxURI), software.looseText("homepage", maxURI)
	if o.err() != nil {
		return NodeInfo{}, fmt.Errorf("read NodeInfo: %w", o.err())
	}
	n.OpenRegistrations = o.get("openRegistrations") == true
	for _, usage := range o.looseObjects("usage", 1) {
		n.LocalPosts, n.LocalComments = usage.looseCount("localPosts"), usage.looseCount("localComments")
		for _, users := range usage.looseObjects("users", 1) {
			n.Users, n.ActiveMonth = users.looseCount("total"), users.looseCount("activeMonth")
			n.ActiveHalfYear = users.looseCount("activeHalfyear")
		}
	}
	for _, m := range o.looseObjects("metadata", 1) {
		n.Name, n.Description = m.looseText("nodeName", maxName), m.looseText("nodeDescription", maxHTML)
		for _, v := range listOf(m.get("features")) {
			if s, ok := v.(string); ok && len(n.Features) < maxLinks && len(s) <= maxName {
				n.Features = append(n.Features, s)
			}
		}
	}
	return n, nil
}

// NodeInfoLinks is the document at /.well-known/nodeinfo of the server at base ("https://music.example"), whose
// NodeInfo lies at base + "/nodeinfo/2.0" and "/nodeinfo/2.1" and whose own actor is actor (FEP-2677).
func NodeInfoLinks(base, actor string) map[string]any {
	link := func(rel, href string) any { return map[string]any{"rel": rel, "href": href} }
	return map[string]any{"links": []any{
		link(nodeInfo21, base+"/nodeinfo/2.1"), link(nodeInfo20, base+"/nodeinfo/2.0"), link(relApplication, actor),
	}}
}

// ReadNodeInfoLinks returns where a server's NodeInfo lies, the newest version that we read, and its own actor, which
// may be empty. Both URIs come from the server, which may point anywhere.
func ReadNodeInfoLinks(raw []byte) (nodeInfo, actor string, err error) {
	o, err := openObject(raw)
	if err != nil {
		return "", "", fmt.Errorf("read NodeInfo links: %w", err)
	}
	old := ""
	for _, l := range o.looseObjects("links", maxLinks) {
		href := l.looseURI("href")
		switch l.get("rel") {
		case nodeInfo21:
			nodeInfo = href
		case nodeInfo20:
			old = href
		case relApplication:
			actor = href
		}
	}
	if nodeInfo == "" {
		nodeInfo = old
	}
	if nodeInfo == "" {
		return "", "", fmt.Errorf("read NodeInfo links: none of version 2.0 or 2.1: %w", ErrInvalid)
	}
	return nodeInfo, actor, nil
}
