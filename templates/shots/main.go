// Command shots renders every page with real-looking content into a folder,
// so that assets/shots.mjs can take pictures of them. It is a tool for those
// who work on the pages; it is no part of the server.
//
//	go run ./templates/shots OUT && (cd templates/assets && npm run shots OUT)
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"antiphon/templates"
)

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: shots FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "shots:", err)
		os.Exit(1)
	}
}

// maxHTML is what a page may weigh (the look: pages come over slow lines).
const maxHTML = 30 << 10

func run(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	renderer, err := templates.New()
	if err != nil {
		return err
	}
	for name, view := range pages() {
		var html bytes.Buffer
		if err := renderer.Render(&html, view); err != nil {
			return err
		}
		if html.Len() > maxHTML {
			fmt.Printf("%s weighs %d bytes, more than %d\n", name, html.Len(), maxHTML)
		}
		if err := os.WriteFile(filepath.Join(folder, name+".html"), html.Bytes(), 0o644); err != nil {
			return err
		}
	}
	for name, draw := range covers {
		if err := writeCover(filepath.Join(folder, name+".png"), draw); err != nil {
			return err
		}
	}
	return writeTone(filepath.Join(folder, "preview.wav"))
}
