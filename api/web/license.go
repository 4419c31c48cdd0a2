package web

import (
	"strings"

	"antiphon/templates"
)

// licenses are what an artist can choose; the URI is what is stored and published.
var licenses = []struct{ uri, words string }{
	{"", "All rights reserved"},
	{"https://creativecommons.org/licenses/by/4.0/", "CC BY 4.0: share and change, with my name"},
	{"https://creativecommons.org/licenses/by-sa/4.0/", "CC BY-SA 4.0: the same, under the same license"},
	{"https://creativecommons.org/licenses/by-nc/4.0/", "CC BY-NC 4.0: not for business"},
	{"https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC BY-NC-SA 4.0: not for business, under the same license"},
	{"https://creativecommons.org/licenses/by-nd/4.0/", "CC BY-ND 4.0: share unchanged, with my name"},
	{"https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0: no rights reserved"},
}

// licenseChoices are the options, with the chosen one selected; one that the file brought along is an option too.
func licenseChoices(chosen string) []templates.Choice {
	var choices []templates.Choice
	found := false
	for _, l := range licenses {
		found = found || l.uri == chosen
		choices = append(choices, templates.Choice{Value: l.uri, Label: l.words, Selected: l.uri == chosen})
	}
	if !found {
		choices = append(choices, templates.Choice{Value: chosen, Label: chosen, Selected: true})
	}
	return choices
}

// licenseLink names a license; only addresses become links.
func licenseLink(license string) templates.Link {
	for _, l := range licenses {
		if l.uri == license && license != "" {
			label, _, _ := strings.Cut(l.words, ":")
			return templates.Link{Label: label, URL: license}
		}
	}
	link := templates.Link{Label: license}
	if strings.HasPrefix(license, "https://") || strings.HasPrefix(license, "http://") {
		link.URL = license
	}
	return link
}
