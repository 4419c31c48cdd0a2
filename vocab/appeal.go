package vocab

import "time"

// PoolAppeal is what an artist says against a rule that has marked plays of the artist on another instance of a pool.
type PoolAppeal struct {
	// ID is on the artist's host.
	ID string
	// AttributedTo is the artist, who signs.
	AttributedTo string
	// Month is such as "2026-11", Content are plain words.
	Month, Content string
	Published      time.Time
}

// maxAppeal is how long an appeal may be, in bytes.
const maxAppeal = 8000

// Object is the appeal as it is signed. It does not check; ReadPoolAppeal does.
func (a PoolAppeal) Object() map[string]any {
	return map[string]any{
		"@context": Context(KindPoolAppeal), "id": a.ID, "type": []any{"PoolAppeal", "Document"}, "attributedTo": a.AttributedTo,
		"month": a.Month, "content": a.Content, "published": formatTime(a.Published),
	}
}

// ReadPoolAppeal reads an appeal's exact form. It looks neither at the proof nor at the clock. Errors wrap ErrInvalid or
// those of vocab/jsonld.
func ReadPoolAppeal(raw []byte) (PoolAppeal, error) {
	o, err := openSigned(raw, KindPoolAppeal, "PoolAppeal", "Document")
	if err != nil {
		return PoolAppeal{}, err
	}
	a := PoolAppeal{ID: o.id("id")}
	a.AttributedTo = o.sibling("attributedTo", a.ID)
	a.Month = o.match("month", monthPattern, "a month such as 2026-11")
	a.Content = o.text("content", maxAppeal)
	a.Published = o.moment("published")
	if err := o.close(); err != nil {
		return PoolAppeal{}, err
	}
	return a, nil
}
