package templates

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
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

// Static serves the built modules and styles below [StaticPath], compressed
// for browsers that take it. Names carry the hash of the content, so a browser
// may keep them for ever.
func Static() http.Handler {
	packed := map[string]func() []byte{}
	entries, err := fs.ReadDir(built, "static")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "manifest.json" {
			packed[name] = sync.OnceValue(func() []byte { return pack("static/" + name) })
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, StaticPath)
		small, ok := packed[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Encoding")
		h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		if takesGzip(r.Header.Get("Accept-Encoding")) && r.Header.Get("Range") == "" {
			h.Set("Content-Encoding", "gzip")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(small()))
			return
		}
		http.ServeFileFS(w, r, built, "static/"+name)
	})
}

func pack(name string) []byte {
	raw, err := built.ReadFile(name)
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid constant
	_, _ = zip.Write(raw)                                     // a buffer takes everything
	_ = zip.Close()
	return out.Bytes()
}

func takesGzip(accepted string) bool {
	for part := range strings.SplitSeq(accepted, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(coding) == "gzip" {
			return strings.Trim(strings.TrimPrefix(strings.TrimSpace(weight), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
