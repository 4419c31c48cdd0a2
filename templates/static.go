package templates

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
)

//go:embed all:static
var built embed.FS

// StaticPath is where [Static] must be mounted.
const StaticPath = "/static/"

// ContentSecurityPolicy is the policy that every page of this package works
// under: nothing inline, nothing from elsewhere.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"media-src 'self' blob:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// bundle maps the name of a built file to its name with the content hash.
type bundle struct {
	// Files maps "main.js" to "main-ABCD.js".
	Files map[string]string `json:"files"`
	// Preload lists the chunks that the first module imports at once.
	Preload []string `json:"preload"`
}

func readBundle() (bundle, error) {
	var b bundle
	raw, err := built.ReadFile("static/manifest.json")
	if err != nil {
		return b, fmt.Errorf("read the list of bundles: %w", err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("parse the list of bundles: %w", err)
	}
	return b, nil
}

func (b bundle) url(name string) (string, error) {
	file, ok := b.Files[name]
	if !ok {
		return "", fmt.Errorf("no bundle %q", name)
	}
	return StaticPath + file, nil
}

func (b bundle) preloads() template.HTML {
	var links strings.Builder
	for _, file := range b.Preload {
		links.WriteString(`<link rel="modulepreload" href="` + StaticPath + template.HTMLEscapeString(file) + `">`)
	}
	return template.HTML(links.String())
}

// Static serves the built modules and styles below [StaticPath]. Names carry
// the hash of the content, so a browser may keep them for ever.
func Static() http.Handler {
	files := http.FileServerFS(built)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/") || name == "manifest.json" {
			http.NotFound(w, r)
			return
		}
		if _, err := built.Open("static/" + name); err == nil {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		files.ServeHTTP(w, r)
	})
}
