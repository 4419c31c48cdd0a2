package auth

import "strings"

// The order matters: most browsers also claim to be the ones further down.
var browsers = []struct{ mark, words string }{
	{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
}

var systems = []struct{ mark, words string }{
	{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
	{"CrOS", "ChromeOS"}, {"Linux", "Linux"},
}

// agentWords tells a browser in words that its owner recognizes; only these are kept.
func agentWords(header string) string {
	header = strings.ToValidUTF8(clip(header, 1024), "")
	name := "Unknown browser"
	for _, b := range browsers {
		if strings.Contains(header, b.mark) {
			name = b.words
			break
		}
	}
	for _, s := range systems {
		if strings.Contains(header, s.mark) {
			return name + " on " + s.words
		}
	}
	return name
}
