package templates

import (
	"encoding/json"
	"fmt"
	"strings"
)

// texts are all words of the pages, by key. Plural forms stand under
// "key.one" and "key.other"; "{name}" marks a place for a value.
type texts map[string]string

func parseTexts(raw []byte) (texts, error) {
	var file struct {
		Pages texts `json:"pages"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("parse texts: %w", err)
	}
	return file.Pages, nil
}

// say gives the text of a key with its places filled from name, value pairs.
func (t texts) say(key string, pairs ...any) (string, error) {
	text, ok := t[key]
	if !ok {
		return "", fmt.Errorf("no text for %q", key)
	}
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("text %q: a name without a value", key)
	}
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return text, nil
}

// dollars writes an amount n such as "4.50" or "-0.450000" in the words of key.
func (t texts) dollars(key, amount string) (string, error) {
	rest, negative := strings.CutPrefix(amount, "-")
	out, err := t.say(key, "n", rest)
	if negative {
		out = "-" + out
	}
	return out, err
}

// count gives the plural form for n, which also fills "{n}".
func (t texts) count(key string, n int, pairs ...any) (string, error) {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return t.say(key+form, append(pairs, "n", thousands(n))...)
}

// has says whether there is a text for the key.
func (t texts) has(key string) bool { return t[key] != "" }

// thousands writes an integer with commas in groups of three.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
