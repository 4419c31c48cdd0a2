package outbox

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"

	"gorm.io/gorm"
)

// maxMentions is how many people one text can mention.
const maxMentions = 10

// handlePattern finds @name@host, and @name for somebody who lives here, in text and in HTML made of text.
var handlePattern = regexp.MustCompile(`(^|[\s>(])@([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9.:-]{1,253}[A-Za-z0-9]))?`)

// mentioned finds the people whom a text names by their handles. Only those are found who are known here already: a
// comment waits for no other server.
func (o *Outbox) mentioned(ctx context.Context, tx *gorm.DB, text string) ([]person, error) {
	var out []person
	for _, m := range handlePattern.FindAllStringSubmatch(text, 5*maxMentions) {
		if len(out) >= maxMentions {
			break
		}
		host := strings.ToLower(m[3])
		if host == "" {
			host = o.actors.Host()
		}
		var found []person
		err := tx.WithContext(ctx).Table("actors").Where("host = ? AND name = ?", host, strings.ToLower(m[2])).Limit(1).Find(&found).Error
		if err != nil {
			return nil, fmt.Errorf("look up %s@%s: %w", m[2], host, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// mentionsIn makes links of the handles of people in HTML that was made of text.
func mentionsIn(content string, people []person) string {
	return handlePattern.ReplaceAllStringFunc(content, func(match string) string {
		m := handlePattern.FindStringSubmatch(match)
		for _, p := range people {
			if strings.EqualFold(m[2], p.Name) && (m[3] == "" || strings.EqualFold(m[3], p.Host)) {
				return m[1] + `<a href="` + html.EscapeString(p.URL) + `" class="u-url mention">@` + html.EscapeString(p.Name) + `</a>`
			}
		}
		return match
	})
}
