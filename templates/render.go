package templates

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
)

//go:embed layout partials pages texts/*.json
var sources embed.FS

// Renderer holds all pages, parsed. It is safe for many goroutines.
type Renderer struct {
	pages map[string]*template.Template
}

// New parses every page; an error here is a mistake in the program.
func New() (*Renderer, error) {
	raw, err := sources.ReadFile("texts/en.json")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	words, err := parseTexts(raw)
	if err != nil {
		return nil, err
	}
	files, err := readBundle()
	if err != nil {
		return nil, err
	}
	frame, err := template.New("layout").Funcs(functions(words, files)).
		ParseFS(sources, "layout/*.html", "partials/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	names, err := fs.Glob(sources, "pages/*.html")
	if err != nil {
		return nil, err
	}
	r := &Renderer{pages: make(map[string]*template.Template, len(names))}
	for _, name := range names {
		page, err := frame.Clone()
		if err != nil {
			return nil, err
		}
		if page, err = page.ParseFS(sources, name); err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		r.pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return r, nil
}

// Render writes one page. Nothing is written when it fails, so the caller can
// still answer with another status.
func (r *Renderer) Render(w io.Writer, page View) error {
	t, ok := r.pages[page.page()]
	if !ok {
		return fmt.Errorf("render %q: no such page", page.page())
	}
	var buf bytes.Buffer
	frame := "layout.html"
	if _, ok := page.(*Embed); ok {
		frame = "embed.html"
	}
	if err := t.ExecuteTemplate(&buf, frame, page); err != nil {
		return fmt.Errorf("render %q: %w", page.page(), err)
	}
	_, err := buf.WriteTo(w)
	return err
}
