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
	"sync"
)

//go:embed layout partials pages texts/*.json
var sources embed.FS

// Renderer holds all pages. It is safe for many goroutines.
type Renderer struct {
	pages map[string]func() (*template.Template, error)
}

// New parses the frame of all pages; an error here is a mistake in the program. A page is parsed when somebody sees it
// first: each has the whole frame in it, and all of them together would take 13 MB of an instance that does nothing.
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
	r := &Renderer{pages: make(map[string]func() (*template.Template, error), len(names))}
	for _, name := range names {
		r.pages[strings.TrimSuffix(path.Base(name), ".html")] = sync.OnceValues(func() (*template.Template, error) { return parsePage(frame, name) })
	}
	return r, nil
}

// parsePage reads a page into a frame of its own.
func parsePage(frame *template.Template, name string) (*template.Template, error) {
	page, err := frame.Clone()
	if err != nil {
		return nil, err
	}
	if page, err = page.ParseFS(sources, name); err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	return page, nil
}

// Render writes one page. Nothing is written when it fails, so the caller can
// still answer with another status.
func (r *Renderer) Render(w io.Writer, page View) error {
	parsed, ok := r.pages[page.page()]
	if !ok {
		return fmt.Errorf("render %q: no such page", page.page())
	}
	t, err := parsed()
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	frame := "layout.html"
	if _, ok := page.(*Embed); ok {
		frame = "embed.html"
	}
	if err := t.ExecuteTemplate(&buf, frame, page); err != nil {
		return fmt.Errorf("render %q: %w", page.page(), err)
	}
	_, err = buf.WriteTo(w)
	return err
}
