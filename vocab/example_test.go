package vocab_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// The golden files of this package are the examples of FEDERATION.md, so that the document cannot say what is not true.
// An example is a line that begins with `#name`, and the JSON block after it. Inside of one, "#name" stands for the whole
// of another example, and "@context": "#context-kind" for the context of a kind.
const document = "../FEDERATION.md"

var (
	update  = flag.Bool("update", false, "write the examples of FEDERATION.md and testdata anew")
	example = regexp.MustCompile("(?m)^`#([a-z0-9.-]+)`.*\n\n?```json\n((?:[^`].*\n)*)```\n")
	// examples is the document while tests change it; used are the names that a test has built.
	examples struct {
		sync.Mutex
		used map[string]bool
	}
)

// TestMain sees, when every test has run, that no example of the document is left without one.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		found, err := readExamples()
		if err != nil {
			fmt.Println(err)
			code = 1
		}
		for name := range found {
			if !examples.used[name] {
				fmt.Printf("FEDERATION.md: no test builds the example #%s\n", name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// readExamples are the texts of the examples by their names.
func readExamples() (map[string]string, error) {
	raw, err := os.ReadFile(document)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, match := range example.FindAllStringSubmatch(string(raw), -1) {
		if _, ok := found[match[1]]; ok {
			return nil, fmt.Errorf("%s has two examples #%s", document, match[1])
		}
		found[match[1]] = match[2]
	}
	return found, nil
}

// golden compares got with an example of the document, or writes it if -update is given, and returns what the document
// says, with all that it only names in its place, for the reader to read.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	built, err := jsonld.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	short := layout(shorten(built, name))
	examples.Lock()
	defer examples.Unlock()
	if examples.used == nil {
		examples.used = map[string]bool{}
	}
	examples.used[name] = true
	if *update {
		writeExample(t, name, short)
	}
	found, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	text, ok := found[name]
	if !ok {
		t.Fatalf("%s has no example #%s; -update writes it", document, name)
	}
	if diff := cmp.Diff(text, short); diff != "" {
		t.Errorf("%s, #%s (-want +got):\n%s", document, name, diff)
	}
	parsed, err := jsonld.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s, #%s: %v", document, name, err)
	}
	full, err := jsonld.Marshal(expand(t, parsed).(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// writeExample puts an example into the document; one that has no place yet comes last.
func writeExample(t *testing.T, name, text string) {
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	out, done := string(raw), false
	out = example.ReplaceAllStringFunc(out, func(old string) string {
		match := example.FindStringSubmatch(old)
		if match[1] != name {
			return old
		}
		done = true
		return strings.Replace(old, "```json\n"+match[2], "```json\n"+text, 1)
	})
	if !done {
		out += "\n`#" + name + "`\n```json\n" + text + "```\n"
	}
	if out == string(raw) {
		return
	}
	if err := os.WriteFile(document, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
}

// named are the objects that stand in others by their names; nobody changes them.
var named = sync.OnceValue(func() map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, n := range nouns() {
		if n.signed && n.name != "agreement-offered" && n.name != "invoice" {
			out[n.name] = n.built()
		}
	}
	return out
})

// built is a noun as it travels: with its proof, if it has one.
func (n noun) built() map[string]any {
	m := n.sample().Object()
	signer, _ := m["attributedTo"].(string)
	if !n.signed || signer == "" {
		return m
	}
	signed, _, err := proof.Sign(m, proofKey(), signer+"#ed25519-1", at(12, 0, 3))
	if err != nil {
		panic(err)
	}
	return signed
}

// proofKey is the key of all proofs in the examples; the artist publishes it.
func proofKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(fill(ed25519.SeedSize, 7)) }

func publicProofKey() string {
	text, err := multikey.EncodeEd25519(proofKey().Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	return text
}

func contextName(kind vocab.Kind) string { return "#context-" + strings.ToLower(string(kind)) }

// shorten puts names where contexts and other examples stand.
func shorten(v any, self string) any {
	switch v := v.(type) {
	case map[string]any:
		for name, whole := range named() {
			if name != self && v["id"] == whole["id"] && reflect.DeepEqual(normal(whole), normal(v)) {
				return "#" + name
			}
		}
		out := map[string]any{}
		for key, value := range v {
			out[key] = shorten(value, self)
			if key != "@context" || strings.HasPrefix(self, "context-") {
				continue
			}
			for _, kind := range kinds() {
				if vocab.IsContext(kind, value) {
					out[key] = contextName(kind)
				}
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = shorten(e, self)
		}
		return out
	}
	return v
}

// expand is the opposite of shorten.
func expand(t *testing.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = expand(t, value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = expand(t, e)
		}
		return out
	case string:
		if !strings.HasPrefix(v, "#") || strings.Contains(v, " ") {
			return v
		}
		for _, kind := range kinds() {
			if v == contextName(kind) {
				return vocab.Context(kind)
			}
		}
		if whole, ok := named()[v[1:]]; ok {
			return whole
		}
	}
	return v
}

// normal is v with the types that a parser gives.
func normal(v map[string]any) any {
	raw, err := jsonld.Marshal(v)
	if err != nil {
		panic(err)
	}
	parsed, err := jsonld.Parse(raw)
	if err != nil {
		panic(err)
	}
	return parsed
}

func kinds() []vocab.Kind {
	return []vocab.Kind{
		vocab.KindActor, vocab.KindNote, vocab.KindActivity, vocab.KindPlaylist, vocab.KindListen, vocab.KindSubscription,
		vocab.KindProposal, vocab.KindAudioTrack, vocab.KindAgreement, vocab.KindInvoice, vocab.KindReceipt,
		vocab.KindAccessGrant, vocab.KindKeyFragment, vocab.KindMembership, vocab.KindKeyLink, vocab.KindAlbum,
		vocab.KindLedgerRecords, vocab.KindPayoutInstruction, vocab.KindPoolAppeal,
	}
}

// width is how long a line of an example may be before it is broken.
const width = 150

// layout writes JSON for people: what fits on a line stands on one.
func layout(v any) string {
	var b strings.Builder
	write(&b, v, "", 0)
	b.WriteByte('\n')
	return b.String()
}

func write(b *strings.Builder, v any, indent string, used int) {
	line := compact(v)
	m, isMap := v.(map[string]any)
	list, isList := v.([]any)
	if !isMap && !isList || indent != "" && len(indent)+used+utf8.RuneCountInString(line) <= width {
		b.WriteString(line)
		return
	}
	inner := indent + " "
	if isList {
		b.WriteByte('[')
		for i, e := range list {
			b.WriteString(comma(i) + inner)
			write(b, e, inner, 0)
		}
		b.WriteString("\n" + indent + "]")
		return
	}
	b.WriteByte('{')
	for i, key := range sortedKeys(m) {
		name := compact(key) + ": "
		b.WriteString(comma(i) + inner + name)
		write(b, m[key], inner, len(name))
	}
	b.WriteString("\n" + indent + "}")
}

func comma(i int) string {
	if i == 0 {
		return "\n"
	}
	return ",\n"
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// compact writes v on one line.
func compact(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, key := range sortedKeys(v) {
			parts = append(parts, compact(key)+": "+compact(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, compact(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TestContexts holds the contexts that the examples only name.
func TestContexts(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds() {
		raw, err := jsonld.Marshal(map[string]any{"@context": vocab.Context(kind)})
		if err != nil {
			t.Fatal(err)
		}
		read, err := jsonld.Parse(golden(t, strings.TrimPrefix(contextName(kind), "#"), raw))
		if err != nil || !vocab.IsContext(kind, read["@context"]) {
			t.Errorf("the document's context of %s is %v, %v", kind, read, err)
		}
	}
}

// TestExamplesAreSigned checks the proofs of the document's examples with the key that its artist publishes.
func TestExamplesAreSigned(t *testing.T) {
	t.Parallel()
	for name, whole := range named() {
		if _, ok := whole["proof"]; !ok {
			continue
		}
		raw, err := jsonld.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.Verify(raw, func(proof.Claim) (ed25519.PublicKey, error) {
			return proofKey().Public().(ed25519.PublicKey), nil
		}, at(12, 0, 4)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
